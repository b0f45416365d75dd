"""Every figure of the report keeps what it draws apart: with colours, for colour-blind readers, and printed in grey."""

import importlib
import inspect
import itertools
import pkgutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image
from report_inputs import adapted_line

import waver.report
from recorded import recorded, widened
from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_shares import AnnotatedSegment, cue_shares
from waver.evaluation.prevalence import prevalence_of
from waver.report import build
from waver.report.data import load
from waver.report.data_set.answers_figure import draw_answers, draw_segments
from waver.report.data_set.cues_figures import draw_conflict, draw_cues
from waver.report.data_set.facts import Span, videos_per_participant
from waver.report.data_set.groups import people_by_statement
from waver.report.data_set.people_figure import draw_people
from waver.report.figures import style
from waver.report.figures.adaptation_steps import draw_steps
from waver.report.figures.by_question import draw_prevalence
from waver.report.figures.critical_difference import draw_ranks
from waver.report.figures.decomposition import decomposed_scores, draw_decomposition
from waver.report.figures.gain_by_group import draw_gains
from waver.report.figures.model_weights import draw_weights
from waver.report.figures.overview import draw_overview
from waver.report.figures.protocol_leak import draw_leak
from waver.report.figures.published_scores import draw_published
from waver.report.figures.reliability import curves, draw_reliability
from waver.report.figures.score_charts import draw_difference, draw_forest, draw_groups, draw_within
from waver.report.figures.timeline import draw_timeline
from waver.report.figures.training_curves import draw_curves
from waver.report.figures.window_length import draw_window_length, tried
from waver.report.ranking import ranked_methods
from waver.report.text.findings import gaps

pytestmark = pytest.mark.slow

HERE = ("frame", "test")
LEAST = 10.0
"""Difference of CIELAB between two colours that may stand for two things by themselves; 2.3 is just noticeable."""

VISIONS = {
    "normal": np.eye(3),
    # Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
    "grey": np.array([[0.2126, 0.7152, 0.0722]] * 3),
}  # fmt: skip

DRAWN = {
    "draw_people": lambda m, texts, gate, to: draw_people(people_by_statement(m.participants, 5), {}, 5, to),
    "draw_answers": lambda m, texts, gate, to: draw_answers(
        m.answers, videos_per_participant(m.answers, 5), m.questions, 5, to
    ),
    "draw_cues": lambda m, texts, gate, to: draw_cues(some_cues(m), 5, to),
    "draw_conflict": lambda m, texts, gate, to: draw_conflict(some_cues(m), m.questions, 5, to),
    "draw_segments": lambda m, texts, gate, to: draw_segments(some_spans(m), 5, to),
    "draw_prevalence": lambda m, texts, gate, to: draw_prevalence(prevalence(texts), to, m.questions),
    "draw_published": lambda m, texts, gate, to: draw_published(m, to),
    "draw_curves": lambda m, texts, gate, to: draw_curves(m.trainings, "AP", to),
    "draw_decomposition": lambda m, texts, gate, to: draw_decomposition(decomposed(m), *HERE, to),
    "draw_difference": lambda m, texts, gate, to: draw_difference(gaps(m.comparisons, *HERE), *HERE, to),
    "draw_forest": lambda m, texts, gate, to: draw_forest(ranked_methods(m.scores, *HERE), *HERE, to),
    "draw_gains": lambda m, texts, gate, to: draw_gains(gained(), "test", "block", to, 2),
    "draw_groups": lambda m, texts, gate, to: draw_groups(m.scores, *HERE, to, 2),
    "draw_leak": lambda m, texts, gate, to: draw_leak(split_in_two_ways(), "test", to),
    "draw_overview": lambda m, texts, gate, to: draw_overview(of_any_group(m), to),
    "draw_ranks": lambda m, texts, gate, to: draw_ranks(adapted(), "block", to, 2),
    "draw_reliability": lambda m, texts, gate, to: draw_reliability(curves(m.calibration, "frame")[1], *HERE, to),
    "draw_steps": lambda m, texts, gate, to: draw_steps(adapted(), "block", to, 2),
    "draw_timeline": lambda m, texts, gate, to: draw_timeline(m, gate, to)[0],
    "draw_weights": lambda m, texts, gate, to: draw_weights(texts, to),
    "draw_window_length": lambda m, texts, gate, to: draw_window_length(m.scores, "test", to),
    "draw_within": lambda m, texts, gate, to: draw_within(ranked_methods(m.scores, *HERE), *HERE, to),
}  # fmt: skip


def adapted():
    """Metadata and diagnostics of five methods on six people."""
    people = [adapted_line(str(82000 + number)) for number in range(6)]
    about = {"modalities": "V", "network": "bottleneck", "protocol": "block"}
    return [({**about, "method": name}, people) for name in ("shot", "nrc", "mmd", "tent", "source_only")]


def split_in_two_ways():
    """Scores of three methods under every protocol."""
    return [{**row, "protocol": protocol, "group": "all"} for row in gained() if row["group"] == "all"
            for protocol in ("frame_random", "block", "video")]  # fmt: skip


def gained():
    """Scores of three methods in every age group."""
    like = {"modalities": "V", "network": "bottleneck", "level": "participant", "split": "test", "protocol": "block",
            "metric": "AVGF1", "participants": 9}  # fmt: skip
    groups = ["all", *(f"age={first}-{first + 9}" for first in range(25, 75, 10))]
    return [{**like, "method": name, "group": group, "value": value}
            for name, value in (("source_only", 0.4), ("shot", 0.5), ("nrc", 0.3)) for group in groups]  # fmt: skip


def prevalence(material):
    return prevalence_of(material.answers, material.config.evaluate)


def decomposed(material):
    return decomposed_scores(material.decomposition, *HERE)


def of_any_group(material):
    """The material of a run that shows groups of one person."""
    return replace(material, config=material.config.model_copy(update={"evaluate": EvaluateConfig(least_group=1)}))


def crowded(material, count):
    """The material with so many more models, each trained with two windows; they come first, the first the best."""

    def copies(rows, **own):
        like = [row for row in rows if (row["method"], row["modalities"]) == ("lfan", "VAT")]
        assert like
        return [{**row, "method": f"model_{k:02d}", **{key: value(k) for key, value in own.items()}}
                for k in range(count) for row in like]  # fmt: skip

    better = copies(material.scores, value=lambda k: 0.99 - 0.001 * k)
    better = [row | recorded(row["method"], row["modalities"]).columns for row in better]
    windows = [row | widened(row["method"], row["modalities"], 24).columns
               | {"method": f"{row['method']}.w24", "value": row["value"] / 2} for row in better]  # fmt: skip
    apart = copies(material.comparisons, difference=lambda k: 0.1 * (k % 3 - 1), low=lambda k: 0.1 * (k % 3 - 1) - 0.05,
                   high=lambda k: 0.1 * (k % 3 - 1) + 0.05, p_holm=lambda k: 0.5 if k % 3 == 1 else 0.001)  # fmt: skip
    path = next(path for path in material.predictions if path.name.startswith("lfan_VAT"))
    again = {Path(*path.parts[:-1], *[".."] * k, *path.parts[-1 - k :]):
             {**material.predictions[path], "method": f"model_{k - 1:02d}"} for k in (1, 2, 3)}  # fmt: skip
    runs = [one for one in material.trainings if (one.model.fusion, one.model.modalities) == ("lfan", "VAT")]
    return replace(
        material,
        scores=[*material.scores, *better, *windows],
        comparisons=[*material.comparisons, *apart],
        calibration=[*material.calibration, *copies(material.calibration)],
        decomposition=[*material.decomposition, *copies(material.decomposition)],
        trainings=[
            *material.trainings,
            *(replace(one, model=recorded(f"model_{k:02d}", "VAT")) for k in range(count) for one in runs),
        ],
        predictions={**again, **material.predictions},
    )


@pytest.fixture(scope="module")
def material(made, report_config):
    return load(made.inputs, report_config, "demo", False)


@pytest.fixture(scope="module")
def texts(texts_only, report_config):
    return load(texts_only.inputs, report_config, "transcripts", False)


def some_cues(material):
    """Cues of every channel in every answer."""
    named = frozenset({"facial: Smile", "language: Hedging", "audio: Pause", "body: Nod", "inconsistencies: FL"})
    segments = [AnnotatedSegment(row["participant"], row["question"], named) for row in material.answers]
    return cue_shares(segments, EvaluateConfig(least_group=5, bootstrap=100))


def some_spans(material):
    """A segment in every answer."""
    return [Span(row["participant"], row["video"], 1.0 + row["question"], 24) for row in material.answers]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are finished, in order; they are looked at and not written."""
    found = []

    def keep(figure, buffer, **_):
        found.append(figure)
        buffer.write('<svg width="1" height="1"></svg>')

    monkeypatch.setattr(Figure, "savefig", keep)
    return found


def seen(colour, vision):
    """CIELAB of a colour as somebody sees it; alpha lies on white."""
    *rgb, alpha = to_rgba(colour)
    rgb = alpha * np.array(rgb) + 1 - alpha
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(VISIONS[vision] @ linear, 0, 1) / to_xyz.sum(axis=1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one, other):
    """The least difference of two colours to any reader."""
    return min(np.linalg.norm(seen(one, vision) - seen(other, vision)) for vision in VISIONS)


def of_line(line):
    """Colour of a line, and all else that tells it from others: dashes, marker, whether the marker is filled."""
    dashes = "none" if line.get_linestyle() in ("None", "", " ") else tuple(line._unscaled_dash_pattern[1] or ())
    marker = line.get_marker() if line.get_marker() not in ("None", "", " ") else ""
    edge = to_rgb(line.get_markeredgecolor())
    filled = marker == "|" or (marker != "" and to_rgb(line.get_markerfacecolor()) == to_rgb(line.get_color()))
    colour = edge if marker and not filled else to_rgb(line.get_color())
    return colour, (dashes, marker, filled)


def of_patch(patch):
    """Colour of a bar, and its hatch."""
    return to_rgba(patch.get_facecolor()), (patch.get_hatch() or "", patch.get_fill())


def kinds(artists, of):
    """label -> look of artists that stand for something; bars of intervals and rules belong to other marks."""
    return [(artist.get_label(), *of(artist)) for artist in artists]


def told_apart(entries):
    """Refuse two looks that differ by a colour that not every reader sees."""
    for (_, colour, rest), (_, other, same) in itertools.combinations(entries, 2):
        if rest == same and colour != other:
            assert apart(colour, other) >= LEAST, (colour, other, rest)


def labelled(entries):
    return [entry for entry in entries if entry[0] and not entry[0].startswith("_")]


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_what_a_figure_draws_is_told_apart_without_colours(name, figures, material, texts, gate_of, tmp_path):
    assert DRAWN[name](crowded(material, 40), texts, gate_of(material), tmp_path) is not None
    (figure,) = figures
    for axes in figure.axes:
        lines = [line for line in axes.lines if labelled(kinds([line], of_line)) or line.get_marker() != "None"
                 or len(line.get_xdata()) > 2]  # fmt: skip
        told_apart(kinds(lines, of_line))
        for entries in (kinds(lines, of_line), kinds(axes.patches, of_patch)):
            told_apart(labelled(entries))
            looks = {entry[0]: entry[1:] for entry in labelled(entries)}
            assert len(set(looks.values())) == len(looks), looks
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    for legend in legends:
        for kind, of in ((Line2D, of_line), (Patch, of_patch)):
            shown = [of(handle) for handle in legend.legend_handles if isinstance(handle, kind)]
            assert len(set(shown)) == len(shown)
            told_apart([("", *plot_style) for plot_style in shown])


def test_every_figure_of_the_report_is_tried():
    names = [one.name for one in pkgutil.walk_packages(waver.report.__path__, "waver.report.")]
    modules = [importlib.import_module(name) for name in names]
    functions = {name for module in modules for name, _ in inspect.getmembers(module, inspect.isfunction)}
    assert {name for name in functions if name.startswith("draw_")} == set(DRAWN)


@pytest.mark.parametrize("count", [3, 40])
def test_a_method_looks_the_same_in_all_figures_of_a_page(count, figures, material, gate_of, tmp_path):
    many, gate = crowded(material, count), gate_of(material)
    styles = build._line_styles(many, gate)
    draw_timeline(many, gate, tmp_path, styles)
    build._window_length(many, tmp_path, styles)
    over_time, lengths = ({line.get_label(): of_line(line) for axes in figure.axes for line in axes.lines}
                          for figure in figures)  # fmt: skip
    both = {name for name in over_time.keys() & lengths.keys() if name.startswith("model")}
    assert len(both) == 3
    assert {name: over_time[name] for name in both} == {name: lengths[name] for name in both}
    assert len({over_time[name][0] for name in both}) == 3  # few lines have colours of their own


def test_of_many_models_the_best_are_drawn_and_the_caption_says_so(material, figures, tmp_path):
    many = crowded(material, 40)
    drawn = draw_window_length(many.scores, "test", tmp_path)
    assert len(tried(many.scores, "test")) == 40
    names = {line.get_label() for line in figures[0].axes[0].lines if line.get_label().startswith("model")}
    assert names == {f"model {k:02d} V+A+T" for k in range(12)}
    assert "Of 40 models the 12 with the highest AVGF1 at any length are drawn; the table has all." in drawn.caption
    few = draw_window_length(crowded(material, 12).scores, "test", tmp_path)
    assert "models the" not in few.caption


def test_the_looks_of_lines():
    count = len(style.LINE_STYLES)
    assert count >= 40
    named = style.line_styles([str(k) for k in range(count)])
    assert len({(one.colour, one.dashes) for one in named.values()}) == count
    assert len({(one.marker, one.dashes) for one in named.values()}) == count  # what is left in grey
    first = list(named.values())[: len(style.SERIES)]
    assert len({one.colour for one in first}) == len({one.marker for one in first}) == len(first)
    reserved = style.CONTROL_STYLES.values()
    assert {one.dashes for one in reserved}.isdisjoint(one.dashes for one in named.values())
    assert len({one.dashes for one in reserved}) == len(reserved)
    with pytest.raises(ValueError, match="42"):
        style.line_styles([str(k) for k in range(count + 1)])


def test_colours_of_lines_differ_for_colour_blind_readers():
    for one, other in itertools.combinations([*style.SERIES, style.CONTROL], 2):
        for vision in VISIONS.keys() - {"grey"}:
            assert np.linalg.norm(seen(one, vision) - seen(other, vision)) >= LEAST, (one, other, vision)


def test_the_readme_shows_every_line_in_its_colour():
    """A picture with few colours may merge two lines."""
    picture = np.asarray(Image.open(Path(__file__).parents[4] / "docs/images/timeline.png").convert("RGB"), float)
    for colour in style.SERIES[:3]:
        near = np.abs(picture - 255 * np.array(to_rgb(colour))).max(axis=-1) < 6
        assert near.sum() > 200, colour
