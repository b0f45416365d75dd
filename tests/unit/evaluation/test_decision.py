"""Where a control begins to call items positive."""

from __future__ import annotations

import numpy as np

from waver.evaluation.controls import fit
from waver.evaluation.decision import cut


def test_the_cut_lies_between_two_margins() -> None:
    margin = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    assert [cut(margin, positives) for positives in (1, 2, 4)] == [2.5, 1.5, -0.5]
    assert cut(margin, 5) == -0.5  # never everything


def test_the_cut_never_parts_a_tie() -> None:
    margin = np.array([2.0] * 3 + [1.0] * 4 + [0.0] * 5)
    predicted = {positives: int((margin > cut(margin, positives)).sum()) for positives in range(1, 13)}
    # 3 or 7 items can be called positive: whichever is nearer, so never none and never all
    assert predicted == {number: 3 if number <= 5 else 7 for number in range(1, 13)}
    noise = margin + 1e-13 * np.arange(12)
    assert cut(noise, 3) == cut(margin, 3) == 1.5
    assert (np.ones(9) > cut(np.ones(9), 7)).all()


def test_features_that_tell_nothing_give_the_larger_class() -> None:
    features = np.zeros((10, 3))
    for positives in (3, 8):
        label = (np.arange(10) < positives).astype(np.int8)
        assert set(fit(features, label).decision_function(features) > 0) == {positives > 5}
