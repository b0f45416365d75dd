"""Shares of annotated segments with a cue, over people, and what is not told of few of them."""

import numpy as np
import pytest

from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_shares import AnnotatedSegment, annotated_segments, cue_shares

SMILE, FL, LB = "facial: Smile", "inconsistencies: FL", "inconsistencies: LB"
CONFIG = EvaluateConfig(least_group=5, bootstrap=400)


def segments(people=10):
    """Everybody has a segment after question 1 with FL; half of them smile; two show LB, after question 2."""
    found = [AnnotatedSegment(str(one), 1, frozenset({FL, SMILE} if one % 2 else {FL})) for one in range(people)]
    return found + [AnnotatedSegment(str(one), 2, frozenset({LB})) for one in range(2)]


def test_a_share_is_of_segments_and_its_interval_of_people():
    found = cue_shares(segments(), CONFIG)
    assert (found.segments, found.people) == (12, 10)
    by_cue = {share.cue: share for share in found.cues}
    assert by_cue[FL].value == pytest.approx(10 / 12)
    assert by_cue[SMILE].value == pytest.approx(5 / 12)
    assert by_cue[SMILE].low < 5 / 12 < by_cue[SMILE].high
    assert by_cue[FL].high - by_cue[FL].low < by_cue[SMILE].high - by_cue[SMILE].low
    assert [share.cue for share in found.channel("inconsistencies")] == [FL, LB]


def test_few_people_are_not_told_of():
    found = cue_shares(segments(), CONFIG)
    few = next(share for share in found.cues if share.cue == LB)
    assert np.isnan([few.value, few.low, few.high]).all()
    assert not few.disclosed
    # two people have segments after question 2
    assert list(found.by_question) == [1]
    assert cue_shares(segments(4), CONFIG) is None
    assert cue_shares([], CONFIG) is None


def test_one_person_of_many_segments_widens_the_interval():
    rng = np.random.default_rng(0)
    own = rng.random(40) < 0.5
    spread = [AnnotatedSegment(str(k), 1, frozenset({FL} if has else {SMILE})) for k, has in enumerate(own)]
    clustered = [AnnotatedSegment(str(k % 10), 1, frozenset({FL} if k % 10 < 5 else {SMILE})) for k in range(40)]
    widths = [next(s.high - s.low for s in cue_shares(one, CONFIG).cues if s.cue == FL) for one in (spread, clustered)]
    assert widths[1] > 1.5 * widths[0]


def test_segments_without_cues_do_not_count():
    rows = [{"video": "a", "cue_names": [FL]}, {"video": "a", "cue_names": None}, {"video": "gone", "cue_names": [FL]}]
    found = annotated_segments(rows, [{"video": "a", "participant": "1", "question": 4}])
    assert found == [AnnotatedSegment("1", 4, frozenset({FL}))]
