"""The figure of scores against steps: what is averaged, and what is withheld."""

import numpy as np
import pytest
from report_inputs import adapted_line

from waver.report.figures.adaptation_steps import draw_steps, steps_of

ABOUT = {"method": "shot", "modalities": "V", "network": "bottleneck", "protocol": "block", "seed": 0}


def lines(*values, steps=20):
    return [adapted_line(f"8200{number}", steps, own) for number, own in enumerate(values)]


def test_seeds_are_averaged_before_people():
    seeds = [(ABOUT, lines((0.2, 0.4), (0.6, 0.8))), (ABOUT | {"seed": 1}, lines((0.4, 0.6), steps=40))]
    (found,) = steps_of(seeds, "block", 2)
    assert (found.name, found.people, found.steps) == ("SHOT V", 2, pytest.approx(80 / 3))
    assert found.mean["AVGF1"][[0, 10, 20]] == pytest.approx([0.45, 0.55, 0.65])
    assert found.spread["AVGF1"][0] == pytest.approx(0.15)
    assert found.mean["unadapted_positive"][5] == pytest.approx(0.2)
    assert found.truth == pytest.approx(0.3)


def test_what_too_few_people_have_is_withheld():
    people = lines((None, 0.4), (0.6, 0.8), (None, 0.5))
    (found,) = steps_of([(ABOUT, people)], "block", 2)
    assert np.isnan(found.mean["AVGF1"][:20]).all()
    assert found.mean["AVGF1"][20] == pytest.approx(0.567, abs=1e-3)
    assert np.isfinite(found.mean["positive"]).all()
    assert not steps_of([(ABOUT, people)], "block", 4)
    assert not steps_of([(ABOUT, people)], "video", 2)


@pytest.mark.slow
def test_methods_without_steps_have_no_curve_and_two_drawings_are_the_same_bytes(tmp_path):
    still = [{"participant": f"8200{number}", "steps": 0} for number in range(5)]
    assert draw_steps([(ABOUT | {"method": "t3a"}, still)], "block", tmp_path, 3) is None
    adapted = [
        (ABOUT | {"method": name}, lines(*[(0.2, 0.5, 0.4)] * 5)) for name in ("shot", "nrc", "mmd", "acpl", "oracle")
    ]
    one = draw_steps(adapted, "block", tmp_path, 3)
    other = draw_steps(adapted, "block", tmp_path, 3)
    assert one == other
    for name in ("SHOT V", "NRC V", "ACPL V", "optimiser steps", "share with A/H"):
        assert name in one.svg
    assert "5 participants" in one.caption
    assert "8200" not in one.svg + one.caption
