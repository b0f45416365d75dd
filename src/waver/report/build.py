"""The report: one HTML file that needs nothing else, and its figures as files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import waver
from waver.datasets.consent import Consent
from waver.io.atomic import atomic_write
from waver.io.site_secret import site_secret
from waver.report.consent_gate import Gate, transcripts_by_participant
from waver.report.data import Material, PageConfig, ReportInputs, load
from waver.report.data_set.card import write_card
from waver.report.data_set.section import cues_section, data_set_section
from waver.report.figures.model_weights import draw_weights
from waver.report.figures.overview import draw_overview
from waver.report.figures.reliability import calibration_table, curves, draw_reliability
from waver.report.figures.score_charts import draw_difference, draw_forest, draw_groups
from waver.report.figures.style import Drawn, LineStyle, line_styles
from waver.report.figures.timeline import draw_timeline, timeline_models
from waver.report.figures.training_curves import draw_curves
from waver.report.figures.window_length import Tried, draw_window_length, tried, window_models
from waver.report.formatting import LEVELS, SPLITS, VIDEO_RULES, plural
from waver.report.papers.release_counts import compare, counts
from waver.report.papers.section import papers_section
from waver.report.personalisation import personalisation
from waver.report.ranking import AVERAGED_SCORES, ranked_methods, scored_splits
from waver.report.tables.headline import headline
from waver.report.tables.results import ShownTable, existing, published_tables, results
from waver.report.tables.run_times import costs
from waver.report.tables.variants import variant_table
from waver.report.text.controls import control_section
from waver.report.text.exclusions import exclusions, identifiers, repaired
from waver.report.text.facts import (
    compared,
    decoding,
    languages,
    made_by,
    model_sets,
    split_counts,
    texts,
    tiles,
)
from waver.report.text.findings import gaps
from waver.report.text.released_faces import released_faces
from waver.report.text.speech import recognised_speech
from waver.report.text.summary import summary
from waver.report.zeroshot import zero_shot_chapter

__all__ = ["PageConfig", "ReportInputs", "render_report"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "templates/page.html"
STYLE = Path(__file__).parent / "templates/style.css"
SCRIPT = Path(__file__).parent / "templates/page.js"

_LABELS = {
    "cv": "Cross-validation over participants of train and val: the scores to choose a method by",
    "test": "Test split: no model was fitted or chosen on these participants",
    "val": "Validation split: the epoch of every model of frames was chosen on it, which flatters these models",
}
_MEANS = "{}, mean over participants"


def render_report(
    inputs: ReportInputs,
    config: PageConfig,
    run: str,
    demo: bool,
    page: Path,
    figures: Path,
    card: Path | None = None,
    croissant: Path | None = None,
) -> None:
    """Write the page and its figures, and where asked for the data card.

    Args:
        inputs: files to read.
        config: the part of the config that the page depends on.
        run: name of the run.
        demo: the participants are synthetic.
        page: HTML file to write.
        figures: folder to write the figures to, as SVG files.
        card: Markdown file of the data card to write.
        croissant: JSON-LD file to write with it, the description of the derived store.

    Raises:
        WaverError: an input cannot be read, or the page would name a participant who did not consent.
    """
    material = load(inputs, config, run, demo)
    transcripts = transcripts_by_participant(inputs.answers)
    secret = site_secret(Path(config.report.secret)) + config.dataset.encode()
    gate = Gate(Consent.load(inputs.participants), secret, identifiers(material), transcripts)
    figures.mkdir(parents=True, exist_ok=True)
    for old in figures.glob("*.svg"):
        old.unlink()
    html = _render(_context(material, gate, figures))
    try:
        for written in (html, *(path.read_text(encoding="utf-8") for path in figures.glob("*.svg"))):
            gate.check(written)
    except Exception:
        for path in figures.glob("*.svg"):
            path.unlink()
        raise
    if card is not None and croissant is not None:
        write_card(material, gate, card, croissant)
    with atomic_write(page) as file:
        file.write_text(html, encoding="utf-8")
    log.info("%s: %d kB, %d figures", page, len(html) // 1024, len(list(figures.glob("*.svg"))))


def _render(context: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(PAGE.read_text(encoding="utf-8"))
    return template.render(context)


def _context(material: Material, gate: Gate, folder: Path) -> dict[str, Any]:
    styles = _line_styles(material, gate)
    timeline, no_timeline = draw_timeline(material, gate, folder, styles)
    windows = _window_length(material, folder, styles)
    training = draw_curves(material.trainings, material.config.select, folder)
    further = _drawn(draw_weights(material, folder), *_groups(material, folder), timeline, windows, training)
    control = control_section(material, folder)
    reliable = _reliability(material, folder)
    excluded, spent = exclusions(material, gate), costs(material.inputs.benchmarks)
    protocols, prompted = personalisation(material, gate, folder), zero_shot_chapter(material)
    papers = papers_section(material.inputs.tables)
    cues = cues_section(material, folder)
    found = counts(material.answers, material.used, material.segments, material.recorded)
    return {
        "title": material.config.report.title,
        "run": material.run,
        "demo": material.demo,
        "headline": headline(material),
        "averaged": AVERAGED_SCORES,
        "sentences": summary(material),
        "tiles": tiles(material),
        "made": made_by(material),
        "headings": _headings(
            cues=cues.any,
            control=control is not None,
            personal=bool(protocols),
            prompted=prompted is not None,
            calibration=bool(reliable),
            papers=bool(papers.shown),
        ),
        "control": control,
        "reliable": reliable,
        "counts": split_counts(material),
        "release": compare(material.layout, found, material.config.evaluate.least_group),
        "recorded": material.recorded,
        "described": data_set_section(material, folder),
        "cues": cues,
        "overview": draw_overview(material, folder),
        "models": sorted(material.models, key=lambda model: model.role),
        "model_sets": model_sets(material),
        "languages": languages(material),
        "decoding": [*decoding(material), *released_faces(material), *recognised_speech(material)],
        "levels": [_frame_level(material, folder), _video_level(material, folder)],
        "protocols": protocols,
        "personal_published": published_tables("participant"),
        "personal_ours": compared(material, "participant"),
        "prompted": prompted,
        "papers": papers,
        "further": further,
        "no_timeline": no_timeline,
        "excluded": excluded,
        "excluded_lead": _exclusion_lead(sum(row.number for row in excluded)),
        "repaired": repaired(material, gate),
        "costs": spent,
        "longest": max([1.0, *(cost.wall_s for cost in spent)]),
        **_same_for_all(material.config.evaluate.least_group),
    }


def _same_for_all(least: int) -> dict[str, Any]:
    """The fixed texts of every page."""
    fixed = texts()
    return {
        "css": Markup(STYLE.read_text(encoding="utf-8")),
        "js": Markup(SCRIPT.read_text(encoding="utf-8")),
        "meanings": list(fixed["meanings"].items()),
        "bibtex": fixed["bibtex"],
        "version": waver.__version__,
        "footer": "This page is self-contained: it loads nothing and sends nothing. Participants who did not consent "
        "to publication, or whose consent is unknown, are in its aggregates only. Scores that rest on fewer than "
        f"{plural(least, 'person', 'people')} are withheld.",
    }


def _headings(**known: bool) -> dict[str, str]:
    """Id -> heading of the page's sections, which is also its name in the menu and in the first table.

    Args:
        known: id of a section -> whether it is on the page; the others always are.
    """
    sections = [
        ("data", "Data"), ("statistics", "Statistics"), ("cues", "Cues"), ("control", "Control"),
        ("frames", LEVELS["frame"]), ("videos", LEVELS["video"]),
        ("personal", LEVELS["participant"]), ("prompted", "Language models"), ("calibration", "Calibration"),
        ("papers", "Papers' tables"), ("figures", "Further figures"), ("excluded", "Excluded"), ("costs", "Costs"),
        ("metrics", "Metrics"), ("citation", "Citation"),
    ]  # fmt: skip
    return {id_: name for id_, name in sections if known.get(id_, True)}


def _groups(material: Material, folder: Path) -> list[Drawn | None]:
    splits = {level: next(iter(scored_splits(material.scores, level)), "") for level in ("frame", "video")}
    least = material.config.evaluate.least_group
    return [draw_groups(material.scores, level, split, folder, least) for level, split in splits.items()]


def _line_styles(material: Material, gate: Gate) -> dict[str, LineStyle]:
    """The style of every model that is a line in a figure, one for all figures of the page."""
    return line_styles([*timeline_models(material, gate), *window_models(_windows(material)[1])])


def _windows(material: Material) -> tuple[str, Tried]:
    """The split to choose by, and the windows that were trained and scored there."""
    split = next(iter(scored_splits(material.scores, "frame")), "")
    return split, tried(material.scores, split)


def _window_length(material: Material, folder: Path, styles: Mapping[str, LineStyle] | None = None) -> Drawn | None:
    """The figure, where two lengths or more were trained."""
    split, models = _windows(material)
    if not any(len(points) > 1 for points in models.values()):
        return None
    return draw_window_length(material.scores, split, folder, "windows", styles)


def _drawn(*figures: Drawn | None) -> list[Drawn]:
    return [figure for figure in figures if figure is not None]


def _frame_level(material: Material, folder: Path) -> dict[str, Any]:
    scores = material.scores
    means = [
        (_MEANS.format(SPLITS[split].capitalize()), results(scores, "participant", split))
        for split in scored_splits(scores, "participant")
    ]
    return {
        "id": "frames",
        "intro": "Every frame, a 24th of a second, is evaluated. The line below a score is its 95 % interval over "
        "participants; the best method of a column is blue. Compare every number with the controls at the foot of the "
        "table.",
        **_level(material, "frame", folder, means),
    }


def _video_level(material: Material, folder: Path) -> dict[str, Any]:
    rule = VIDEO_RULES[material.config.evaluate.video_rule]
    return {
        "id": "videos",
        "intro": "A video is positive if any part of it is A/H. Models of transcripts and of videos predict one score "
        f"per video. For models of frames the score of a video is {rule}.",
        **_level(material, "video", folder, []),
    }


def _level(material: Material, level: str, folder: Path, more: list[tuple[str, ShownTable | None]]) -> dict[str, Any]:
    """Tables of a level, the split to choose by first, and the figures of this split."""
    splits = scored_splits(material.scores, level)
    tables = [(_LABELS[split], results(material.scores, level, split)) for split in splits]
    varied = variant_table(material.comparisons, level, splits[0], material.scores) if splits else None
    figures = []
    if splits:
        rows = ranked_methods(material.scores, level, splits[0])
        found = gaps(material.comparisons, level, splits[0])
        figures = [draw_forest(rows, level, splits[0], folder), draw_difference(found, level, splits[0], folder)]
    return {
        "first": tables[0] if tables else None,
        "more": existing(*tables[1:], *more, ("Variants: each minus its base model", varied)),
        "figures": _drawn(*figures),
        "published": published_tables(level),
        "ours": compared(material, level),
    }


def _reliability(material: Material, folder: Path) -> list[tuple[ShownTable | None, Drawn | None]]:
    found = []
    for level in ("frame", "video"):
        split, methods = curves(material.calibration, level)
        if methods:
            drawn = draw_reliability(methods, level, split, folder)
            found.append((calibration_table(methods, level, split, material.scores), drawn))
    return found


def _exclusion_lead(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{plural(number, 'item')} {verb} excluded; the run used the others. Each reason has a remedy."
