"""The report: one HTML file that needs nothing else, and its figures as files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import waver
from waver.data.consent import Consent
from waver.report.aside import identifiers, mended, set_aside
from waver.report.charts import draw_difference, draw_forest, draw_groups, draw_within
from waver.report.costs import costs
from waver.report.curves import draw_curves
from waver.report.facts import (
    compared,
    decoding,
    languages,
    made_by,
    model_sets,
    split_counts,
    texts,
    tiles,
)
from waver.report.gate import Gate
from waver.report.inputs import Material, ReportInputs, load
from waver.report.overview import draw_overview
from waver.report.standings import standings
from waver.report.style import Drawn
from waver.report.summary import summary
from waver.report.tables import ShownTable, published_tables, results
from waver.report.timeline import draw_timeline
from waver.report.wording import PROTOCOLS, plural

__all__ = ["ReportInputs", "render_report"]

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

_VALIDATION = "Validation split: the epoch of every model was chosen on it, which flatters the models"

_PROTOCOL_NOTES = {
    "frame_random": "Frames are drawn at random, as in the papers. A frame's neighbours, a 24th of a second away, may "
    "have been adapted on, so these numbers flatter every method that looks at labels or neighbours.",
    "block": "Whole stretches of time are kept apart, with a guard between them, so that no near-copy of a scored "
    "frame was seen. Trust this table first.",
}


def render_report(
    inputs: ReportInputs, config: dict[str, Any], run: str, demo: bool, page: Path, figures: Path
) -> None:
    """Write the page and its figures.

    Args:
        inputs: files to read.
        config: the keys that the page uses, by section: report, evaluate.least_group, models.set,
            dataset.name, train.select.
        run: name of the run.
        demo: the participants are synthetic.
        page: HTML file to write.
        figures: folder to write the figures to, as SVG files.

    Raises:
        WaverError: an input cannot be read, or the page would name a participant who did not consent.
    """
    material = load(inputs, config, run, demo)
    gate = Gate(Consent.load(inputs.participants), run, identifiers(material))
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
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html, encoding="utf-8")
    log.info("%s: %d kB, %d figures", page, len(html) // 1024, len(list(figures.glob("*.svg"))))


def _render(context: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((HERE / "page.html").read_text(encoding="utf-8"))
    return template.render(context)


def _context(material: Material, gate: Gate, folder: Path) -> dict[str, Any]:
    timeline, no_timeline = draw_timeline(material, gate, folder)
    select = str(material.config.get("train", {}).get("select", "AP"))
    groups = draw_groups(material.scores, folder, material.least_group)
    closer = _drawn(groups, timeline, draw_curves(material.trainings, select, folder))
    aside, spent = set_aside(material, gate), costs(material.inputs.benchmarks)
    protocols, standing = _protocols(material), texts()
    return {
        "title": material.config.get("report", {}).get("title", "Waver"),
        "run": material.run,
        "demo": material.demo,
        "css": Markup((HERE / "style.css").read_text(encoding="utf-8")),
        "js": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "lead": summary(material),
        "tiles": tiles(material),
        "made": made_by(material),
        "sections": _sections(bool(protocols)),
        "counts": split_counts(material),
        "overview": draw_overview(material, folder),
        "models": sorted(material.models, key=lambda model: model.role),
        "model_sets": model_sets(material),
        "languages": languages(material),
        "decoding": decoding(material, gate),
        "levels": [_frame_level(material, folder), _video_level(material)],
        "protocols": protocols,
        "personal_published": published_tables("participant"),
        "personal_ours": compared(material, "participant"),
        "closer": closer,
        "no_timeline": no_timeline,
        "aside_rows": aside,
        "aside_lead": _aside_lead(sum(row.number for row in aside)),
        "mended_rows": mended(material, gate),
        "costs": spent,
        "longest": max([1.0, *(cost.wall_s for cost in spent)]),
        "meanings": list(standing["meanings"].items()),
        "bibtex": standing["bibtex"],
        "version": waver.__version__,
        "footer": "This page is complete in itself: it loads nothing and sends nothing. Participants who did not "
        "consent to publication are in its aggregates only.",
    }


def _sections(personal: bool) -> list[tuple[str, str]]:
    middle = [("personal", "Personalisation")] if personal else []
    return [
        ("data", "Data"), ("frames", "Frames"), ("videos", "Videos"), *middle, ("look", "A closer look"),
        ("aside", "Set aside"), ("cost", "Run time"), ("metrics", "Metrics"), ("cite", "Cite"),
    ]  # fmt: skip


def _drawn(*figures: Drawn | None) -> list[Drawn]:
    return [figure for figure in figures if figure is not None]


def _frame_level(material: Material, folder: Path) -> dict[str, Any]:
    scores = material.scores
    rows = standings(scores, "frame", "test")
    figures = _drawn(draw_forest(rows, folder), draw_difference(rows, folder), draw_within(rows, folder))
    return {
        "id": "frames",
        "heading": "Frame by frame",
        "intro": "Each 24th of a second is judged. The line below a score is its 95 % interval over participants; the "
        "best method of a column is blue. Read every number against the controls at the foot of the table.",
        "test": results(scores, "frame", "test"),
        "more": _more(
            (_VALIDATION, results(scores, "frame", "val")),
            ("Test split, mean over participants", results(scores, "participant", "test")),
        ),
        "figures": figures,
        "published": published_tables("frame"),
        "ours": compared(material, "frame"),
    }


def _video_level(material: Material) -> dict[str, Any]:
    scores = material.scores
    return {
        "id": "videos",
        "heading": "Whole videos",
        "intro": "A video is positive if any of it is A/H. Frame models are turned into video scores by the papers' "
        "rule, the highest mean over a sliding window.",
        "test": results(scores, "video", "test"),
        "more": _more((_VALIDATION, results(scores, "video", "val"))),
        "figures": [],
        "published": published_tables("video"),
        "ours": compared(material, "video"),
    }


def _protocols(material: Material) -> list[tuple[str, str, ShownTable, list[tuple[str, ShownTable]]]]:
    found = []
    for protocol, name in PROTOCOLS.items():
        table = results(material.scores, "participant", "test", protocol)
        if table is not None:
            pooled = results(material.scores, "frame", "test", protocol)
            found.append((name, _PROTOCOL_NOTES[protocol], table, _more(("All scored frames pooled", pooled))))
    return found


def _more(*tables: tuple[str, ShownTable | None]) -> list[tuple[str, ShownTable]]:
    return [(label, table) for label, table in tables if table is not None]


def _aside_lead(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{plural(number, 'item')} {verb} set aside; the rest went on without. Each reason comes with what to do."
