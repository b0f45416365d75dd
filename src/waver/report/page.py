"""The report: one HTML file that needs nothing else, and its figures as files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import waver
from waver.data.consent import Consent
from waver.report.aside import identifiers, mended, set_aside
from waver.report.chapter import chapter
from waver.report.charts import draw_difference, draw_forest, draw_groups
from waver.report.costs import costs
from waver.report.curves import draw_curves
from waver.report.facts import (
    compared,
    decoding,
    guard,
    languages,
    made_by,
    model_sets,
    split_counts,
    texts,
    tiles,
)
from waver.report.findings import gaps
from waver.report.gate import Gate, sayings
from waver.report.inputs import Material, ReportInputs, load
from waver.report.overview import draw_overview
from waver.report.papers_section import papers_section
from waver.report.reliability import calibration_table, curves, draw_reliability
from waver.report.standings import splits_of, standings
from waver.report.style import Drawn, LineStyle, line_styles
from waver.report.summary import summary
from waver.report.tables import ShownTable, differences, published_tables, results
from waver.report.timeline import draw_timeline, timeline_models
from waver.report.variants import variant_table
from waver.report.weights import draw_weights
from waver.report.window_length import Tried, draw_window_length, tried, window_models
from waver.report.wording import PROTOCOLS, SPLITS, VIDEO_RULES, plural
from waver.store.whole import written_whole

__all__ = ["ReportInputs", "render_report"]

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

_LABELS = {
    "cv": "Cross-validation over participants of train and val: the way to choose between methods",
    "test": "Test split: nobody in it was learnt from, and nothing was chosen on it",
    "val": "Validation split: the epoch of every model of frames was chosen on it, which flatters those models",
}
_MEANS = "{}, mean over participants"

_PROTOCOL_NOTES = {
    "frame_random": "Frames are drawn at random, as in the papers. A frame's neighbours, a 24th of a second away, may "
    "have been adapted on, so these numbers flatter every method that looks at labels or neighbours.",
    "block": "Whole stretches of time are kept apart{}. Trust this table first.",
}


def render_report(
    inputs: ReportInputs, config: dict[str, Any], run: str, demo: bool, page: Path, figures: Path
) -> None:
    """Write the page and its figures.

    Args:
        inputs: files to read.
        config: the keys that the page uses, by section: report, evaluate.least_group, models.set,
            dataset.name, train.select, train.folds.
        run: name of the run.
        demo: the participants are synthetic.
        page: HTML file to write.
        figures: folder to write the figures to, as SVG files.

    Raises:
        WaverError: an input cannot be read, or the page would name a participant who did not consent.
    """
    material = load(inputs, config, run, demo)
    gate = Gate(Consent.load(inputs.participants), run, identifiers(material), sayings(inputs.answers))
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
    with written_whole(page) as file:
        file.write_text(html, encoding="utf-8")
    log.info("%s: %d kB, %d figures", page, len(html) // 1024, len(list(figures.glob("*.svg"))))


def _render(context: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((HERE / "page.html").read_text(encoding="utf-8"))
    return template.render(context)


def _context(material: Material, gate: Gate, folder: Path) -> dict[str, Any]:
    styles = _line_styles(material, gate)
    timeline, no_timeline = draw_timeline(material, gate, folder, styles)
    select = str(material.config.get("train", {}).get("select", "AP"))
    learnt = _window_length(material, folder, styles), draw_curves(material.trainings, select, folder)
    closer = _drawn(draw_weights(material, folder), *_groups(material, folder), timeline, *learnt)
    told = chapter(material, folder)
    reliable = _reliability(material, folder)
    aside, spent = set_aside(material, gate), costs(material.inputs.benchmarks)
    protocols = _protocols(material)
    papers = papers_section(material.inputs.tables)
    return {
        "title": material.config.get("report", {}).get("title", "Waver"),
        "run": material.run,
        "demo": material.demo,
        "lead": summary(material),
        "tiles": tiles(material),
        "made": made_by(material),
        "sections": _sections(told is not None, bool(protocols), bool(reliable), bool(papers.shown)),
        "chapter": told,
        "reliable": reliable,
        "counts": split_counts(material),
        "recorded": material.recorded,
        "overview": draw_overview(material, folder),
        "models": sorted(material.models, key=lambda model: model.role),
        "model_sets": model_sets(material),
        "languages": languages(material),
        "decoding": decoding(material, gate),
        "levels": [_frame_level(material, folder), _video_level(material, folder)],
        "protocols": protocols,
        "personal_published": published_tables("participant"),
        "personal_ours": compared(material, "participant"),
        "papers": papers,
        "closer": closer,
        "no_timeline": no_timeline,
        "aside_rows": aside,
        "aside_lead": _aside_lead(sum(row.number for row in aside)),
        "mended_rows": mended(material, gate),
        "costs": spent,
        "longest": max([1.0, *(cost.wall_s for cost in spent)]),
        **_same_for_all(),
    }


def _same_for_all() -> dict[str, Any]:
    """What stands on every page."""
    standing = texts()
    return {
        "css": Markup((HERE / "style.css").read_text(encoding="utf-8")),
        "js": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "meanings": list(standing["meanings"].items()),
        "bibtex": standing["bibtex"],
        "version": waver.__version__,
        "footer": "This page is complete in itself: it loads nothing and sends nothing. Participants who did not "
        "consent to publication, or of whom it is not known, are in its aggregates only.",
    }


def _sections(told: bool, personal: bool, reliable: bool, papers: bool) -> list[tuple[str, str]]:
    known = {"control": told, "personal": personal, "calibration": reliable, "papers": papers}
    sections = [
        ("data", "Data"), ("control", "Without looking"), ("frames", "Frames"), ("videos", "Videos"),
        ("personal", "Personalisation"), ("calibration", "Calibration"), ("papers", "Papers' tables"),
        ("look", "A closer look"), ("aside", "Set aside"), ("cost", "Cost"), ("metrics", "Metrics"), ("cite", "Cite"),
    ]  # fmt: skip
    return [(id_, name) for id_, name in sections if known.get(id_, True)]


def _groups(material: Material, folder: Path) -> list[Drawn | None]:
    splits = {level: next(iter(splits_of(material.scores, level)), "") for level in ("frame", "video")}
    least = material.least_group
    return [draw_groups(material.scores, level, split, folder, least) for level, split in splits.items()]


def _line_styles(material: Material, gate: Gate) -> dict[str, LineStyle]:
    """The look of every model that is a line in a figure, one for the whole page."""
    return line_styles([*timeline_models(material, gate), *window_models(_windows(material)[1])])


def _windows(material: Material) -> tuple[str, Tried]:
    """The split to choose by, and the windows that were tried there."""
    split = next(iter(splits_of(material.scores, "frame")), "")
    return split, tried(material.scores, split)


def _window_length(material: Material, folder: Path, styles: Mapping[str, LineStyle] | None = None) -> Drawn | None:
    """Where two lengths or more were tried."""
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
        for split in splits_of(scores, "participant")
    ]
    return {
        "id": "frames",
        "heading": "Frame by frame",
        "intro": "Each 24th of a second is judged. The line below a score is its 95 % interval over participants; the "
        "best method of a column is blue. Read every number against the controls at the foot of the table.",
        **_level(material, "frame", folder, means),
    }


def _video_level(material: Material, folder: Path) -> dict[str, Any]:
    rule = VIDEO_RULES[material.config.get("evaluate", {}).get("video_rule", "sliding_mean")]
    return {
        "id": "videos",
        "heading": "Whole videos",
        "intro": "A video is positive if any of it is A/H. Models of the answer's words and of whole videos judge it "
        f"as a whole. Frame models are turned into video scores {rule}.",
        **_level(material, "video", folder, []),
    }


def _level(material: Material, level: str, folder: Path, more: list[tuple[str, ShownTable | None]]) -> dict[str, Any]:
    """Tables of a level, the split to choose by first, and the figures of that one."""
    splits = splits_of(material.scores, level)
    tables = [(_LABELS[split], results(material.scores, level, split)) for split in splits]
    varied = variant_table(material.comparisons, level, splits[0], material.scores) if splits else None
    figures = []
    if splits:
        rows = standings(material.scores, level, splits[0])
        found = gaps(material.comparisons, level, splits[0])
        figures = [draw_forest(rows, level, splits[0], folder), draw_difference(found, level, splits[0], folder)]
    return {
        "first": tables[0] if tables else None,
        "more": _more(*tables[1:], *more, ("Variants: each minus the model without it", varied)),
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


def _protocols(material: Material) -> list[tuple[str, str, ShownTable, list[tuple[str, ShownTable]]]]:
    found = []
    for protocol, name in PROTOCOLS.items():
        table = results(material.scores, "participant", "test", protocol)
        if table is not None:
            pooled = results(material.scores, "frame", "test", protocol)
            against = differences(material.comparisons, "participant", "test", protocol)
            more = _more(("Above the content-free control", against), ("All scored frames pooled", pooled))
            found.append((name, _PROTOCOL_NOTES[protocol].format(guard(material)), table, more))
    return found


def _more(*tables: tuple[str, ShownTable | None]) -> list[tuple[str, ShownTable]]:
    return [(label, table) for label, table in tables if table is not None]


def _aside_lead(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{plural(number, 'item')} {verb} set aside; the rest went on without. Each reason comes with what to do."
