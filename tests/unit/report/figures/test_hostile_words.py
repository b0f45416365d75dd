"""Words and names in figures are written as they are, whatever they contain."""

from __future__ import annotations

import numpy as np
import pytest

from waver.report.figures.style import finish, line_styles, new_figure, plot_style
from waver.report.figures.timeline import TimelineData, _figure

HOSTILE = ("$", "$$", "$\\frac{", "a_$^b$", "\\$5", "<script>", "&amp;", "x" * 10_000, "{0}", "%s", "\u202e\u0301")


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_on_the_timeline(tmp_path, word):
    model = f"lfan {word[:20]}"
    data = TimelineData({model: np.full(48, 0.5)}, np.zeros(48, np.uint8), None, None, [(0.1, 0.2, word)])
    with plot_style("timeline"):
        drawn = finish(_figure(data, 48, line_styles([model])), "timeline", tmp_path, "Timeline", "")
    assert "<script" not in drawn.svg
    assert len(drawn.svg) < 100_000
    if word == "$\\frac{":
        assert word in drawn.svg


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_beside_an_axis(tmp_path, name):
    with plot_style("chart"):
        figure = new_figure(3, 2)
        axes = figure.subplots()
        axes.set_yticks([0, 1], [name[:50], "other"])
        axes.set_title(name[:50])
        assert "<script" not in finish(figure, "chart", tmp_path, "Chart", "").svg
