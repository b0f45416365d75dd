"""Figure of published scores beside what a predictor gets here that looks at nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.report.charts import whisker
from waver.report.inputs import Material, Row
from waver.report.published import avgf1_cells, published
from waver.report.rule import Ruled, ruled
from waver.report.single_seeds import seeds
from waver.report.standings import Standing, best, content_free, splits_of, standings
from waver.report.style import INK, LINE, METHOD_STYLE, MUTED, ORANGE, Drawn, LineStyle, finish, look, new_figure
from waver.report.wording import USES_LABELS, listed, plural, score

LEVELS = {"frame": "Frame by frame", "participant": "Frame by frame, mean over participants", "video": "Whole videos"}

_PRINTED, _EACH = LineStyle(MUTED, marker="d"), LineStyle(MUTED, marker="|", filled=False)
_LOOKS_AT_NOBODY = LineStyle(ORANGE, marker="s")


@dataclass(frozen=True)
class Line:
    """One line of the figure: a published table with all its cells, or one of ours with its interval.

    Attributes:
        values: printed scores; of ours the mean of the single seeds, where there are several.
    """

    name: str
    values: tuple[float, ...]
    told: str
    own: Row | None = None
    style: LineStyle = _PRINTED


def own_split(material: Material, level: str) -> str:
    """The split of ours that stands beside the papers' test sets: test where it is, else the first."""
    splits = splits_of(material.scores, level)
    return "test" if "test" in splits else next(iter(splits), "")


def beside(material: Material, level: str) -> list[Line]:
    """Published tables of a level, then ours; empty where nothing of ours was scored."""
    split = own_split(material, level)
    rows = standings(material.scores, level, split)
    ours = _ours(rows, _chosen(material, level, rows), ruled(material, level, split) if split else None)
    return [*_theirs(level), *ours] if ours else []


def _chosen(material: Material, level: str, rows: list[Standing]) -> Standing | None:
    """The method to show: the best of the split to choose by, which is not test where there is another."""
    split = next(iter(splits_of(material.scores, level)), "")
    first = best(standings(material.scores, level, split))
    names = (first.method, first.modalities) if first else None
    return next((row for row in rows if (row.method, row.modalities) == names), None)


def best_printed(level: str) -> str:
    """The highest published AVGF1 of a level: whose, how much, and where it is printed."""
    rows = [(value, name, table) for table in published(level) for name, value in avgf1_cells(table)]
    value, name, table = max(rows, key=lambda row: row[0])
    ceiling = ", which is given the person's labels," if name.lower().startswith(tuple(USES_LABELS)) else ""
    worked_out = "" if "AVGF1" in table.metrics else ", worked out from F1 and WF1"
    return f"{name}{ceiling} {score(value)} ({table.paper}, {table.table}, release of {table.release}{worked_out})"


def _theirs(level: str) -> list[Line]:
    lines = []
    for table in published(level):
        cells = avgf1_cells(table)
        if cells:
            name, value = max(cells, key=lambda cell: cell[1])
            told = f"{score(value)}  {name}"
            where = f"{table.title} ({table.release}, {table.table})"
            lines.append(Line(where, tuple(value for _, value in cells), told))
    return lines


def _ours(rows: list[Standing], leader: Standing | None, rule: Ruled | None) -> list[Line]:
    lines = []
    if rule is not None:
        asked = listed([str(question) for question in rule.questions])
        own = {"value": rule.value, "low": rule.low, "high": rule.high}
        lines.append(Line(f"ours: “A/H after questions {asked}”", (), score(rule.value), own, _LOOKS_AT_NOBODY))
    control = content_free(rows)
    if control is not None and control.value("AVGF1") is not None:
        found = control.scores["AVGF1"]
        lines.append(Line(f"ours: {control.name}", (), score(found["value"]), found, _LOOKS_AT_NOBODY))
    if leader is not None and leader.value("AVGF1") is not None:
        found = leader.scores["AVGF1"]
        single = seeds(found)
        told = ", ".join(filter(None, [score(found["value"]), single]))
        lines.append(Line(f"ours: {leader.name}", (found["seed_mean"],) if single else (), told, found, METHOD_STYLE))
    return lines


def draw_beside(material: Material, folder: Path) -> Drawn | None:
    """Levels below each other; None where nothing of ours was scored."""
    found = {level: lines for level in LEVELS if (lines := beside(material, level))}
    if not found:
        return None
    with look("beside"):
        sizes = [len(lines) + 1.6 for lines in found.values()]
        figure = new_figure(10.2, 0.27 * sum(sizes) + 0.5)
        panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=sizes, sharex=True)[:, 0]
        for axes, (level, lines) in zip(panels, found.items(), strict=True):
            _panel(axes, lines, f"{LEVELS[level]} (ours: {_people(material, level)})")
        panels[-1].set_xlabel("AVGF1")
        figure.set_layout_engine("constrained", h_pad=0.08)
        caption = (
            "Grey: each mark is one printed score, the number at the right the best of its table, with its method. "
            "Orange squares: predictors of this run that look at nobody, with their 95 % interval over participants. "
            "Blue circle: the best method of this run. Of several seeds, the circle is the score of their averaged "
            "probabilities; the upright mark and the number after “seeds” are the mean of the scores of the single "
            "seeds (± standard deviation), and that compares with a printed score, which is of one model. The papers "
            "score other people than this run does (releases of 224 or 300 participants, test split), so compare with "
            "care: gaps of a few hundredths mean nothing. Where a paper prints F1 and WF1, AVGF1 was worked out from "
            "them, unless they contradict each other in that table."
        )
        return finish(figure, "beside", folder, "Published scores beside predictors that look at nobody", caption)


def _people(material: Material, level: str) -> str:
    split = own_split(material, level)
    row = standings(material.scores, level, split)[0].any
    name = {"cv": "cross-validation", "test": "test", "val": "validation"}.get(split, split)
    return f"{name}, {plural(row['participants'], 'person', 'people')}"


def _panel(axes: Any, lines: list[Line], title: str) -> None:
    for place, line in enumerate(lines):
        if line.own is not None:
            whisker(axes, place, line.own, line.style, label=line.told)
            axes.plot(line.values, [place] * len(line.values), "|", color=INK, markersize=12, markeredgewidth=1.6)
            continue
        axes.plot(line.values, [place] * len(line.values), **_EACH.mark(8))
        axes.plot(max(line.values), place, **line.style.mark(5.5))
        axes.annotate(
            line.told, (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8, color=MUTED,
        )  # fmt: skip
    axes.axhline(sum(line.own is None for line in lines) - 0.5, color=LINE, linewidth=1)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], fontsize=8.3)
    for tick, line in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_color(MUTED if line.own is None else INK)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_title(title)
    axes.tick_params(labelbottom=True)
    axes.xaxis.set_major_formatter(lambda value, _: score(value, 2))
