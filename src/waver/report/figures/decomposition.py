"""Figure of the decomposition of scores: contributions of a constant, the question, the length, the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.report.data import Row
from waver.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    LINE,
    MUTED,
    ORANGE,
    RED,
    Drawn,
    LineStyle,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import method_name, row_name, score, signed, uses_labels, where
from waver.report.ranking import AVERAGED_SCORES

STEPS = ("chance", "question", "length", "person")
LABELS = {"chance": "a constant", "question": "the question", "length": "the length", "person": "the person"}
# from light to dark, so that the parts differ in grey as well
_STYLES = {step: LineStyle(colour) for step, colour in zip(STEPS, (LINE, ORANGE, GREEN, BLUE), strict=True)}
_LOST = LineStyle(RED, filled=False, hatch="/////")
_METRIC = "AVGF1"


@dataclass(frozen=True)
class DecomposedScore:
    """One decomposed score: rows of the decomposition, step by step."""

    name: str
    control: bool
    steps: tuple[Row, ...]

    @property
    def last(self) -> Row:
        return self.steps[-1]


def decomposed_scores(
    decomposition: Sequence[Row], level: str, split: str, protocol: str = "standard"
) -> list[DecomposedScore]:
    """Methods by falling score; below them the control, with its steps on the fullest sample."""
    methods: dict[tuple[str, str], dict[str, Row]] = {}
    for row in decomposition:
        here = (row["level"], row["split"], row["protocol"], row["metric"]) == (level, split, protocol, _METRIC)
        if here and row["step"] in STEPS and not uses_labels(row["method"]):
            methods.setdefault((row["method"], row["modalities"]), {})[row["step"]] = row
    found = [
        DecomposedScore(row_name(next(iter(steps.values()))), False, _in_order(steps)) for steps in methods.values()
    ]
    found = sorted((one for one in found if one.steps), key=lambda one: (-one.last["value"], one.name))
    if found:
        # items differ where a method predicts some only; the control is shown on the fullest sample
        fullest = max(found, key=lambda one: one.last["n"])
        shared = tuple(step for step in fullest.steps if step["step"] != "person")
        if len(shared) > 1:
            found.append(DecomposedScore(method_name(str(shared[-1]["predictor"])), True, shared))
    return found


def _in_order(steps: dict[str, Row]) -> tuple[Row, ...]:
    if "person" not in steps or any(row["value"] is None for row in steps.values()):
        return ()
    return tuple(steps[name] for name in STEPS if name in steps)


def draw_decomposition(found: Sequence[DecomposedScore], level: str, split: str, folder: Path) -> Drawn | None:
    """One bar per method, split by contributions; None where there is no method."""
    if not found:
        return None
    with plot_style(f"decomposition-{level}"):
        figure = new_figure(9.4, 1.3 + 0.4 * len(found))
        axes = figure.subplots()
        for place, one in enumerate(found):
            _bar(axes, place, one)
        _dress(axes, found, level, split)
        caption = (
            "The length of a bar is the score, its parts are contributions: of a predictor with one answer for "
            "everything (grey), of one that knows the question, of one that also knows the length of the answer, and "
            "last of the method, which sees, hears or reads the person. A hatched part is a loss: the method scores "
            "less than the predictor before it; a method without the question as input has to infer it from the "
            "answer. The line at the end is the 95 % interval of the score over participants. "
            f"{AVERAGED_SCORES}"
        )
        return finish(figure, f"decomposition-{level}", folder, "Decomposition of the scores", caption)


def _bar(axes: Any, place: int, one: DecomposedScore) -> None:
    before = 0.0
    for step in one.steps:
        value, style = step["value"], _STYLES[step["step"]]
        if value >= before:
            axes.barh(place, value - before, left=before, height=0.56, **style.bar(), zorder=2)
        else:
            axes.barh(place, before - value, left=value, height=0.56, **_LOST.bar(), zorder=3)
        before = value
    last = one.last
    if last["low"] is not None and last["high"] is not None:
        axes.plot([last["low"], last["high"]], [place, place], color=INK, linewidth=1.2, zorder=4)
    axes.plot(before, place, "|", color=INK, markersize=11, markeredgewidth=1.6, zorder=5)
    label = score(before) if one.control else f"{score(before)}   person {signed(last['gain'])}"
    axes.annotate(
        label, (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
        va="center", fontsize=8.5, color=MUTED if one.control else INK,
    )  # fmt: skip


def _dress(axes: Any, found: Sequence[DecomposedScore], level: str, split: str) -> None:
    axes.set_yticks(range(len(found)), [one.name for one in found])
    for tick, one in zip(axes.get_yticklabels(), found, strict=True):
        tick.set_color(MUTED if one.control else INK)
    axes.set_ylim(len(found) - 0.4, -0.6)
    reach = max(step["value"] for one in found for step in one.steps)
    axes.set_xlim(0, max(reach, *(one.last["high"] or 0 for one in found)) * 1.03)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(lambda value, _: score(value, 1))
    axes.set_xlabel(f"AVGF1, {where(level, split)}")
    for step in dict.fromkeys(step["step"] for one in found for step in one.steps):
        axes.barh([-9], [0], **_STYLES[step].bar(), label=LABELS[step])
    axes.barh([-9], [0], **_LOST.bar(), label="loss")
    axes.figure.legend(loc="outside upper left", ncols=5)
