"""Decoding with durations, against sums over all paths and against drawn segments."""

import itertools

import numpy as np
import pytest

from waver.errors import WaverError
from waver.evaluation.metrics import auroc
from waver.models.duration_hmm import KAPPAS, Durations, choose_kappa, decode, fit_durations, transitions


def by_all_paths(margin, durations, kappa):
    """Log odds of A/H at each frame, summed over every path through the stages."""
    matrix, share = transitions(durations)
    positive = np.arange(len(share)) >= durations.stages[0]
    prior = durations.prevalence
    ratio = (np.exp(margin) * (1 - prior) / prior) ** kappa
    weight = np.zeros((len(margin), 2))
    for path in itertools.product(range(len(share)), repeat=len(margin)):
        chance = share[path[0]] * np.prod([matrix[a, b] for a, b in itertools.pairwise(path)])
        chance *= np.prod([ratio[frame] for frame, stage in enumerate(path) if positive[stage]])
        for frame, stage in enumerate(path):
            weight[frame, int(positive[stage])] += chance
    return np.log(weight[:, 1] / weight[:, 0])


@pytest.mark.parametrize("kappa", [0.0, 1 / 12, 1 / 4, 1.0])
@pytest.mark.parametrize("stages", [(1, 1), (1, 2), (2, 3)])
def test_the_decoded_odds_are_sums_over_all_paths(stages, kappa):
    durations = Durations((7.0, 4.0), stages, 0.3)
    rng = np.random.default_rng(0)
    margins = [rng.normal(0, 3, n) for n in (3, 5, 1, 4)]
    for margin, decoded in zip(margins, decode(margins, durations, kappa), strict=True):
        assert decoded == pytest.approx(by_all_paths(margin, durations, kappa), abs=1e-9)


def test_without_evidence_the_share_in_the_long_run_remains():
    durations = Durations((412.0, 103.0), (1, 3), 0.1962)
    (decoded,) = decode([np.random.default_rng(0).normal(0, 5, 400)], durations, kappa=0)
    assert 1 / (1 + np.exp(-decoded)) == pytest.approx(103 / 515, abs=1e-9)


def test_one_stage_of_103_frames_ends_with_one_in_103():
    matrix, share = transitions(Durations((412.0, 103.0), (1, 1), 0.2))
    assert matrix == pytest.approx(np.array([[1 - 1 / 412, 1 / 412], [1 / 103, 1 - 1 / 103]]))
    assert share == pytest.approx([0.8, 0.2])
    assert share @ matrix == pytest.approx(share)


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_stages_keep_the_mean_and_narrow_the_spread(stages):
    durations = Durations((400.0, 100.0), (1, stages), 0.2)
    matrix, _ = transitions(durations)
    inside, left = matrix[1:, 1:], matrix[1:, :1].ravel()
    here, ends = np.eye(stages)[0], []
    for _ in range(3000):
        ends.append(here @ left)
        here = here @ inside
    length = np.arange(1, len(ends) + 1)
    mean = length @ ends
    assert mean == pytest.approx(100)
    assert (length - mean) ** 2 @ ends == pytest.approx(100**2 / stages - 100, rel=1e-3)


def drawn(rng, videos, frames=1500, stages=3, mean=(300, 100)):
    """Labels whose A/H segments are sums of ``stages`` geometric lengths; videos cut the first and last stretch."""
    made = []
    for _ in range(videos):
        track = []
        while len(track) < frames + 1000:
            track += [0] * rng.geometric(1 / mean[0])
            track += [1] * int(rng.geometric(stages / mean[1], stages).sum())
        start = rng.integers(0, 1000)
        made.append(np.array(track[start : start + frames], np.uint8))
    return made


def test_durations_are_found_again_although_videos_cut_stretches_off():
    labels = drawn(np.random.default_rng(0), 400, frames=700)
    durations = fit_durations(labels)
    assert durations.stages == (1, 3)
    assert durations.mean_frames == pytest.approx((300, 100), rel=0.06)
    assert durations.prevalence == pytest.approx(np.concatenate(labels).mean())
    # the mean length of the stretches without A/H, as the videos show them, is far too short
    runs = [len(list(g)) for video in labels for value, g in itertools.groupby(video) if value == 0]
    assert np.mean(runs) < 0.8 * 300


def test_labels_that_never_change_are_refused():
    with pytest.raises(WaverError, match="no beginning or no end"):
        fit_durations([np.ones(50, np.uint8), np.zeros(50, np.uint8)])


def test_a_segment_shorter_than_its_stages_still_decodes():
    durations = fit_durations([np.array([0, 1, 0, 0, 1, 0, 0, 0], np.uint8)], stages=3)
    assert durations.stages == (1, 1)
    (decoded,) = decode([np.array([-80.0, 80.0, -80.0])], durations, kappa=1.0)
    assert np.isfinite(decoded).all()
    assert (decoded > 0).tolist() == [False, True, False]


@pytest.fixture(scope="module")
def noisy():
    """Labels, and log odds that follow them with slow noise beside, as those of a model do."""
    rng = np.random.default_rng(1)
    labels = drawn(rng, 60)
    margins = []
    for label in labels:
        slow = np.convolve(rng.standard_normal(len(label) + 23), np.ones(24) / 24**0.5, "valid")
        margins.append(1.2 * (label - 0.5) + 1.2 * slow + rng.standard_normal(len(label)) - 1.0)
    return labels, margins


def test_durations_rank_frames_better_and_stages_better_still(noisy):
    labels, margins = noisy
    truth, known = np.concatenate(labels[30:]), labels[:30]
    one, several = fit_durations(known, stages=1), fit_durations(known)
    assert several.stages[1] > 1
    kappa = choose_kappa(margins[:30], known, several)
    assert kappa in KAPPAS
    found = [auroc(np.concatenate(margins[30:]), truth)]
    for durations in (one, several):
        found.append(auroc(np.concatenate(decode(margins[30:], durations, kappa)), truth))
    assert found[1] > found[0] + 0.05
    assert found[2] > found[1]


def test_videos_do_not_touch_each_other(noisy):
    _, margins = noisy
    durations = Durations((300.0, 100.0), (1, 3), 0.25)
    pieces = [margins[0][:40], margins[1], margins[2][:700]]
    together = decode(pieces, durations, 1 / 12)
    for piece, decoded in zip(pieces, together, strict=True):
        assert decoded == pytest.approx(decode([piece], durations, 1 / 12)[0], abs=1e-12)
    assert decode([], durations, 1 / 12) == []
