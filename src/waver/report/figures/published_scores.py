"""Figure of published scores next to those of content-free predictors and the best method of this run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.evaluation.prevalence import LabelCount, RuleScore, two_question_rule
from waver.registry import ADAPTATIONS
from waver.report.data import Material, Row
from waver.report.figures.score_charts import whisker
from waver.report.figures.style import (
    INK,
    LINE,
    METHOD_STYLE,
    MUTED,
    ORANGE,
    Drawn,
    LineStyle,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import listed, plural, score
from waver.report.papers.published import avgf1_cells, published
from waver.report.ranking import MethodScores, content_free, ranked_methods, scored_splits, seeds, select

HEADINGS = {"frame": "Frames", "participant": "Frames, mean over participants", "video": "Videos"}

_PRINTED, _EACH = LineStyle(MUTED, marker="d"), LineStyle(MUTED, marker="|", filled=False)
_CONTENT_FREE_STYLE = LineStyle(ORANGE, marker="s")


@dataclass(frozen=True)
class Line:
    """One line of the figure: a published table with all its cells, or a predictor of this run with its interval.

    Attributes:
        values: printed scores; for this run the mean of the single seeds, where there are several.
    """

    name: str
    values: tuple[float, ...]
    label: str
    own: Row | None = None
    style: LineStyle = _PRINTED


_CEILINGS = tuple(record.label.lower() for record in ADAPTATIONS.values() if record.target_labels)


def own_split(material: Material, level: str) -> str:
    """The split of this run next to the papers' test sets: test where it was scored, else the first."""
    splits = scored_splits(material.scores, level)
    return "test" if "test" in splits else next(iter(splits), "")


def published_and_own(material: Material, level: str) -> list[Line]:
    """Published tables of a level, then this run; empty where this run scored nothing."""
    split = own_split(material, level)
    rows = ranked_methods(material.scores, level, split)
    ours = _ours(rows, _chosen(material, level, rows), rule_score(material, level, split) if split else None)
    return [*_theirs(level), *ours] if ours else []


def rule_score(material: Material, level: str, split: str) -> RuleScore | None:
    """Score of the two-question rule on the people of this run; None where it has none."""
    counts = LabelCount.of_videos(material.answers) if level == "video" else LabelCount.of_frames(material.used)
    config = material.config
    return two_question_rule(counts, level, split, config.evaluate, config.folds, config.folding)


def _chosen(material: Material, level: str, rows: list[MethodScores]) -> MethodScores | None:
    """The method of this run to show, chosen as in the page's first table."""
    selection = select(material.scores, level)
    return next((row for row in rows if selection and row.same_method(selection.chosen)), None)


def best_printed(level: str) -> str:
    """The highest published AVGF1 of a level: method, score, and where it is printed."""
    rows = [(value, name, table) for table in published(level) for name, value in avgf1_cells(table)]
    value, name, table = max(rows, key=lambda row: row[0])
    ceiling = ", which uses the person's labels," if name.lower().startswith(_CEILINGS) else ""
    derived = "" if "AVGF1" in table.metrics else ", computed from F1 and WF1"
    return f"{name}{ceiling} {score(value)} ({table.paper}, {table.table}, release of {table.release}{derived})"


def _theirs(level: str) -> list[Line]:
    lines = []
    for table in published(level):
        cells = avgf1_cells(table)
        if cells:
            name, value = max(cells, key=lambda cell: cell[1])
            label = f"{score(value)}  {name}"
            where = f"{table.title} ({table.release}, {table.table})"
            lines.append(Line(where, tuple(value for _, value in cells), label))
    return lines


def _ours(rows: list[MethodScores], leader: MethodScores | None, rule: RuleScore | None) -> list[Line]:
    lines = []
    if rule is not None:
        questions = listed([str(question) for question in rule.questions])
        own = {"value": rule.value, "low": rule.low, "high": rule.high}
        lines.append(
            Line(f"this run: “A/H after questions {questions}”", (), score(rule.value), own, _CONTENT_FREE_STYLE)
        )
    control = content_free(rows)
    if control is not None and control.value("AVGF1") is not None:
        found = control.scores["AVGF1"]
        lines.append(Line(f"this run: {control.name}", (), score(found["value"]), found, _CONTENT_FREE_STYLE))
    if leader is not None and leader.value("AVGF1") is not None:
        found = leader.scores["AVGF1"]
        single = seeds(found)
        label = ", ".join(filter(None, [score(found["value"]), single]))
        lines.append(
            Line(f"this run: {leader.name}", (found["seed_mean"],) if single else (), label, found, METHOD_STYLE)
        )
    return lines


def draw_published(material: Material, folder: Path) -> Drawn | None:
    """One panel per level; None where this run scored nothing."""
    found = {level: lines for level in HEADINGS if (lines := published_and_own(material, level))}
    if not found:
        return None
    with plot_style("beside"):
        sizes = [len(lines) + 1.6 for lines in found.values()]
        figure = new_figure(10.2, 0.27 * sum(sizes) + 0.5)
        panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=sizes, sharex=True)[:, 0]
        for axes, (level, lines) in zip(panels, found.items(), strict=True):
            _panel(axes, lines, f"{HEADINGS[level]} (this run: {_people(material, level)})")
        panels[-1].set_xlabel("AVGF1")
        figure.set_layout_engine("constrained", h_pad=0.08)
        caption = (
            "Grey: each mark is one printed score; the number at the right is the best of its table, with its method. "
            "Orange squares: content-free predictors of this run, with their 95 % interval over participants. "
            "Blue circle: the best method of this run. Of several seeds, the circle is the score of their averaged "
            "probabilities; the upright mark and the number after “seeds” are the mean of the scores of the single "
            "seeds (± standard deviation), which compares with a printed score, as that is of one model. The papers "
            "evaluate other people (releases of 224 or 300 participants, test split), so differences of a few "
            "hundredths mean nothing. Where a paper prints F1 and WF1, AVGF1 is computed from them, unless they "
            "contradict each other in that table."
        )
        return finish(figure, "beside", folder, "Published scores and content-free predictors", caption)


def _people(material: Material, level: str) -> str:
    split = own_split(material, level)
    row = ranked_methods(material.scores, level, split)[0].any
    name = {"cv": "cross-validation", "test": "test", "val": "validation"}.get(split, split)
    return f"{name}, {plural(row['participants'], 'person', 'people')}"


def _panel(axes: Any, lines: list[Line], title: str) -> None:
    for place, line in enumerate(lines):
        if line.own is not None:
            whisker(axes, place, line.own, line.style, label=line.label)
            axes.plot(line.values, [place] * len(line.values), "|", color=INK, markersize=12, markeredgewidth=1.6)
            continue
        axes.plot(line.values, [place] * len(line.values), **_EACH.mark(8))
        axes.plot(max(line.values), place, **line.style.mark(5.5))
        axes.annotate(
            line.label, (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
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
