"""Figure of one consenting participant's video: face, voice, words, labels and probabilities over time."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from waver.align.packs import read_packs
from waver.errors import WaverError
from waver.io.tables import PACK_INDEX, PREDICTIONS, read_arrow, read_table
from waver.io.zarr_store import Array
from waver.report.consent_gate import Gate
from waver.report.data import Material, Row
from waver.report.figures.style import (
    CONTROL_STYLE,
    INK,
    LINE,
    MUTED,
    POSITIVE,
    Drawn,
    LineStyle,
    bare,
    finish,
    line_styles,
    new_figure,
    plot_style,
)
from waver.report.formatting import CONTENT_FREE, listed, method_name
from waver.report.ranking import MethodScores, content_free, ranked_methods
from waver.shapes import FPS

log = logging.getLogger(__name__)

_FACES = 12
_WORD_ROWS = 3
_LONGEST_WORD = 60
_LONGEST_S = 45.0
_MODELS = 3
_MARKS = 8
"""Marks on a line, which has a point a frame."""
_LETTER_PT = 4.3
_WIDTH_PT = 660.0
_NO_LABELS = (
    "No video is shown, because the pack with the labels of its frames cannot be read; the log of report_html says how "
    "to make the pack again."
)


@dataclass(frozen=True)
class TimelineData:
    """Data of the video on the timeline; parts that no store has are None.

    Attributes:
        probability: name of a method -> float64 [T], nan where it predicts nothing.
        label: uint8 [T].
        faces: uint8 [n, 256, 256, 3] at the middles of n equal parts.
        logmel: float32 [R, 64] at 100 Hz.
        words: (start_s, end_s, word).
    """

    probability: dict[str, Array]
    label: Array
    faces: Array | None
    logmel: Array | None
    words: list[tuple[float, float, str]]


def draw_timeline(
    material: Material, gate: Gate, folder: Path, styles: Mapping[str, LineStyle] | None = None
) -> tuple[Drawn | None, str]:
    """The figure, or None and the reason.

    Args:
        material: inputs of the report.
        gate: lets through the data of consenting participants.
        folder: where the figure is written.
        styles: styles of ``timeline_models``; None: their own.
    """
    row, why = choose(material, gate)
    if row is None:
        return None, why
    data = _read(material, gate, row)
    if data is None:
        log.warning("the report has no timeline, because the labels of its frames cannot be read")
        return None, _NO_LABELS
    who = f"{gate.name(row['participant'])}, question {row['question']}"
    with plot_style("timeline"):
        styles = line_styles(timeline_models(material, gate)) if styles is None else styles
        figure = _figure(data, int(row["frames"]), styles)
        return finish(figure, "timeline", folder, "Timeline of one video", _caption(who, data)), ""


def _caption(who: str, data: TimelineData) -> str:
    """Names the parts that the figure has."""
    control = method_name(CONTENT_FREE)
    lines = ["lines are the models' probability of A/H"] if data.probability.keys() - {control} else []
    lines += ["the broken grey line is the content-free control"] if control in data.probability else []
    below = ["the words at their times"] if data.words else []
    below += ["the log-mel spectrogram"] if data.logmel is not None else []
    text = f"{who}. The shaded spans are A/H as annotated{'; ' if lines else ''}{listed(lines)}."
    text += f" Below: {listed(below)}." if below else ""
    return f"{text} Shown with the participant's consent to publication."


def choose(material: Material, gate: Gate) -> tuple[Row | None, str]:
    """The video of the config, or the clearest one of a consenting test participant; None and the reason where none."""
    if not material.recorded:
        return None, "No video is shown, because the data set has no video files."
    wanted = material.config.report.timeline
    rows = [row for row in material.used if row["labelled"]]
    if wanted != "auto":
        named = [row for row in rows if row["video"] == wanted]
        if named and not gate.shows(named[0]["participant"]):
            return None, "No video is shown: the participant of report.timeline did not consent to publication."
        return (
            (named[0], "")
            if named
            else (None, "No video is shown: the video of report.timeline is not among those used.")
        )
    faces = {row["video"] for row in material.features.get("faces", []) if row["status"] == "ok"}
    allowed = [row for row in rows if row["split"] == "test" and gate.shows(row["participant"])]
    if not allowed:
        return None, "No video is shown, because no participant of the test split consented to publication."
    return max(allowed, key=lambda row: _worth(row, row["video"] in faces)), ""


def _worth(row: Row, has_face: bool) -> tuple[bool, bool, bool, float, str]:
    share = row["positive_frames"] / max(1, row["frames"])
    short = row["duration_s"] <= _LONGEST_S
    return has_face, 0.05 < share < 0.8, short, row["duration_s"] * (1 if short else -1), row["video"]


def timeline_models(material: Material, gate: Gate) -> list[str]:
    """Names of the models in the figure: the best of the video's split; none without a video."""
    row, _ = choose(material, gate)
    return [] if row is None else [one.name for one in _models(ranked_methods(material.scores, "frame", row["split"]))]


def _models(rows: Sequence[MethodScores]) -> list[MethodScores]:
    return [row for row in rows if row.ranked][:_MODELS]


# reading -----------------------------------------------------------------------------------


def _read(material: Material, gate: Gate, row: Row) -> TimelineData | None:
    """Data of a video in stores and packs; None without its labels, which are the reference of the curves."""
    gate.timeline(row)
    label = _optional(lambda: _label(material, row))
    if label is None:
        return None
    stores = material.inputs.feature_stores
    parts = int(row["frames"]) / _FACES
    middles = [min(int((k + 0.5) * parts), int(row["frames"]) - 1) for k in range(_FACES)]
    faces = _optional(lambda: gate.faces(stores["faces"], row, middles))
    sound = _optional(lambda: gate.arrays(stores["audio"], row, "logmel")["logmel"])
    words = _optional(lambda: gate.words(stores["speech"], row))
    return TimelineData(_probabilities(material, row), label, faces, sound, words or [])


def _optional(read: Any) -> Any:
    try:
        return read()
    except (WaverError, KeyError) as problem:
        log.warning("the timeline lacks a part: %s", problem)
        return None


def _label(material: Material, row: Row) -> Array:
    # other packs are not opened: they may be deleted
    listing = [index for index in material.inputs.pack_indexes if _lists(index, row)]
    for video in read_packs(listing, material.inputs.packs, ["label"], [str(row["split"])]):
        if video.video == row["video"]:
            return video.arrays["label"]
    raise WaverError(f"{material.inputs.packs} lacks a video of its index; delete it and run again")


def _lists(index: Path, row: Row) -> bool:
    return any(known["video"] == row["video"] for known in read_table(index, PACK_INDEX))


def _probabilities(material: Material, row: Row) -> dict[str, Array]:
    rows = ranked_methods(material.scores, "frame", str(row["split"]))
    control = content_free(rows)
    chosen = _models(rows) + ([control] if control else [])
    curves: dict[str, list[Array]] = defaultdict(list)
    for method in chosen:
        for path, about in material.predictions.items():
            same = (about.get("method"), about.get("modalities")) == (method.method, method.modalities)
            if same and about.get("level") == "frame" and about.get("protocol") == "standard":
                curves[method.name].append(_one(path, row))
    return {name: np.mean(seeds, axis=0) for name, seeds in curves.items()}


def _one(path: Path, row: Row) -> Array:
    table = read_arrow(path, PREDICTIONS)
    part = table.filter(pc.equal(table["video"], row["video"]))
    curve = np.full(int(row["frames"]), np.nan)
    curve[part["frame"].to_numpy()] = part["probability"].to_numpy()
    return curve


# drawing ----------------------------------------------------------------------------------


def _figure(data: TimelineData, frames: int, styles: Mapping[str, LineStyle]) -> Any:
    end = frames / FPS
    heights = {"faces": 0.85 if data.faces is not None else 0.01, "curves": 2.4,
               "words": 0.62 if data.words else 0.01, "sound": 0.75 if data.logmel is not None else 0.01}  # fmt: skip
    figure = new_figure(10.2, sum(heights.values()) + 0.9)
    panels = figure.subplots(4, 1, height_ratios=list(heights.values()))
    figure.set_layout_engine("constrained", hspace=0.0, h_pad=0.03)
    faces, curves, words, sound = panels
    _faces(faces, data.faces, end)
    _spans(curves, data.label)
    _curves(curves, data, styles)
    _words(words, data.words, end)
    _sound(sound, data.logmel, end)
    sound.set_xlabel("seconds")
    for axes in panels:
        axes.set_xlim(0, end)
    return figure


def _faces(axes: Any, faces: Array | None, end: float) -> None:
    bare(axes)
    if faces is None:
        return
    axes.set(xlim=(0, end), ylim=(0, 1))
    width = end / len(faces)
    for number, face in enumerate(faces):
        inset = axes.inset_axes((number * width + 0.03 * width, 0, 0.94 * width, 1), transform=axes.transData)
        inset.imshow(face[::3, ::3], interpolation="nearest")
        bare(inset)


def _spans(axes: Any, label: Array) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label, [0]]))).reshape(-1, 2) / FPS
    for number, (start, stop) in enumerate(edges):
        axes.axvspan(start, stop, color=POSITIVE, alpha=0.22, linewidth=0, label="" if number else "annotated A/H")
    axes.axhline(0.5, color=LINE, linewidth=1)


def _curves(axes: Any, data: TimelineData, styles: Mapping[str, LineStyle]) -> None:
    time = (np.arange(len(data.label)) + 0.5) / FPS
    step, lines = max(1, len(time) // _MARKS), len(data.probability)
    for number, (name, curve) in enumerate(data.probability.items()):
        if name == method_name(CONTENT_FREE):
            axes.plot(time, curve, **CONTROL_STYLE.line(1.4), label=name)
        else:
            # marks of several lines do not cover each other
            first = step * (2 * number + 1) // (2 * lines)
            axes.plot(time, curve, **styles[name].line(1.6, 5), markevery=(first, step), label=name)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_ylabel("probability of A/H")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, borderaxespad=0.2)
    axes.grid(axis="x")
    axes.tick_params(axis="x", labelbottom=False)


def _words(axes: Any, words: Sequence[tuple[float, float, str]], end: float) -> None:
    bare(axes)
    axes.set_ylim(_WORD_ROWS - 0.4, -0.6)
    free = [0.0] * _WORD_ROWS
    for start, _, word in words:
        row = next((row for row, until in enumerate(free) if until <= start), None)
        if row is not None:
            axes.text(start, row, word.strip()[:_LONGEST_WORD], fontsize=7.5, color=INK, va="center", clip_on=True)
            free[row] = start + (len(word.strip()) + 1.2) * _LETTER_PT * end / _WIDTH_PT


def _sound(axes: Any, logmel: Array | None, end: float) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if logmel is None:
        return
    # one column per point of the figure's width is all that is visible
    step = max(1, len(logmel) // int(_WIDTH_PT))
    picture = logmel[: len(logmel) // step * step].reshape(-1, step, logmel.shape[1]).mean(axis=1).T
    axes.imshow(picture, aspect="auto", origin="lower", extent=(0, len(logmel) / 100, 0, 1), cmap="cividis")
    axes.set_ylabel("log-mel", color=MUTED)
