"""The diagram of ranks and the figure of gains by group: tests of the field, and what is withheld."""

import numpy as np
import pytest
from scipy import stats

from waver.report.figures.critical_difference import alike, draw_ranks, friedman_p, nemenyi, ranks_of
from waver.report.figures.gain_by_group import draw_gains, gains
from waver.report.figures.protocol_leak import draw_leak, scores_by_protocol


def about(method, seed=0):
    return {"method": method, "modalities": "V", "network": "bottleneck", "protocol": "block", "seed": seed}


def lines(*scores):
    return [{"participant": f"8200{number}", "AVGF1": score} for number, score in enumerate(scores)]


def test_friedman_and_nemenyi_are_those_of_the_tables():
    draw = np.random.default_rng(0)
    table = draw.integers(0, 6, (9, 4)) + np.arange(4)
    ranks = np.apply_along_axis(stats.rankdata, 1, table)
    chi2 = stats.friedmanchisquare(*table.T).statistic
    assert friedman_p(ranks) == pytest.approx(stats.f.sf(8 * chi2 / (9 * 3 - chi2), 3, 24))
    assert friedman_p(np.full((5, 3), 2.0)) == 1
    assert friedman_p(np.tile([1.0, 2.0, 3.0], (5, 1))) == 0
    # Demsar 2006, table 5: q .05 is 2.343 of three methods and 2.850 of six
    assert nemenyi(3, 30) == pytest.approx(2.343 * np.sqrt(12 / 180), abs=1e-3)
    assert nemenyi(6, 14) == pytest.approx(2.850 * np.sqrt(42 / 84), abs=1e-3)


def test_bars_are_over_the_largest_groups_that_are_alike():
    assert alike([1.0, 1.5, 2.4, 4.0], 1.0) == [(0, 1), (1, 2)]
    assert alike([1.0, 1.5, 1.9], 1.0) == [(0, 2)]
    assert alike([1.0, 3.0], 1.0) == []


def test_ranks_are_of_people_whom_all_methods_were_scored_on_and_not_of_those_with_labels(tmp_path):
    adapted = [
        (about("shot"), lines(0.3, 0.5, 0.5)),
        (about("shot", 1), lines(0.7, 0.5, 0.5)),
        (about("source_only"), lines(0.4, 0.5, 0.4, 0.9)),
        (about("nrc"), [*lines(0.1, 0.2, 0.3), {"participant": "82009", "left_out": "no frame"}]),
        (about("oracle"), lines(0.9, 0.9, 0.9)),
        (about("mmd") | {"protocol": "video"}, lines(0.9, 0.9, 0.9)),
    ]
    found = ranks_of(adapted, "block")
    assert found.people == 3
    assert found.mean == {"SHOT V": pytest.approx(3.5 / 3), "Source only V": pytest.approx(5.5 / 3), "NRC V": 3}
    assert ranks_of(adapted[:3], "block") is None
    assert draw_ranks(adapted, "block", tmp_path, 4) is None
    drawn = draw_ranks(adapted, "block", tmp_path, 3)
    assert drawn == draw_ranks(adapted, "block", tmp_path, 3)
    assert "8200" not in drawn.svg + drawn.caption
    assert "Oracle" not in drawn.svg


def scored(method, group, value, people=6):
    return {"method": method, "modalities": "V", "network": "bottleneck", "level": "participant", "split": "test",
            "protocol": "block", "group": group, "metric": "AVGF1", "value": value, "participants": people}  # fmt: skip


def test_a_gain_is_to_the_same_network_and_what_is_withheld_has_none(tmp_path):
    rows = [
        *(scored(method, "all", 0.5) for method in ("source_only", "shot", "content_free")),
        *(scored("source_only", f"sex={sex}", 0.5) for sex in ("female", "male")),
        scored("shot", "sex=female", 0.7),
        scored("shot", "sex=male", 0.4),
        scored("source_only", "age=18-24", None, None),
        scored("shot", "age=18-24", None, None),
        scored("content_free", "sex=male", 0.9),
    ]
    found = [(gain.method, gain.group, gain.people, round(gain.value, 6)) for gain in gains(rows, "test", "block")]
    assert found == [("SHOT V", "sex=female", 6, 0.2), ("SHOT V", "sex=male", 6, -0.1)]
    drawn = draw_gains(rows, "test", "block", tmp_path, 5)
    assert drawn == draw_gains(rows, "test", "block", tmp_path, 5)
    assert "female (6)" in drawn.svg
    assert drawn.svg.count("gain in AVGF1") == 1
    assert draw_gains([row for row in rows if row["group"] != "sex=male"], "test", "block", tmp_path, 5) is None


def test_random_frames_stand_beside_the_splits_that_leak_less(tmp_path):
    rows = [
        {**scored(method, "all", value), "protocol": protocol}
        for method, values in {"source_only": (0.4, 0.4), "shot": (0.6, 0.45), "content_free": (0.9, 0.5)}.items()
        for protocol, value in zip(("frame_random", "block"), values, strict=True)
    ]
    rows += [scored("nrc", "all", 0.7), {**scored("mmd", "all", None), "protocol": "frame_random"}]
    found = scores_by_protocol(rows, "test")
    assert [(kept.name, kept.value) for kept in found[:2]] == [
        ("SHOT V", {"block": 0.45, "frame_random": 0.6}),
        ("Source only V", {"block": 0.4, "frame_random": 0.4}),
    ]
    assert len(found) == 3
    assert found[2].value == {"block": 0.5, "frame_random": 0.9}
    drawn = draw_leak(rows, "test", tmp_path)
    assert drawn == draw_leak(rows, "test", tmp_path)
    assert draw_leak([row for row in rows if row["protocol"] == "block"], "test", tmp_path) is None
