import json
from dataclasses import replace

import numpy as np
import pytest

from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.frame_labels import FrameSources, fill, frame_truth, only_in_seconds
from waver.datasets.bah.segments import runs, segment_rows, timed_rows
from waver.errors import ExcludedItem

KEY = "82567/1/7/2024-10-02_15-46-17"
LABELS = np.array([0, 1, 1, 0, 0, 1, 1, 1], np.uint8)
TIMES_S = np.array([0.0, 0.04, 0.12, 0.5, 0.52, 0.6, 0.7, 0.8])  # a variable rate


def truth(annotation=None, sources=None, frames=8):
    labels = frame_truth(KEY, annotation, sources or FrameSources(), frames, lambda: TIMES_S)
    return None if labels is None else (runs(labels), len(labels))


@pytest.mark.parametrize("labels", [[], [0], [1], [1, 1], [0, 1, 1, 0, 1], [1, 0, 0, 1]])
def test_runs_are_the_labels(labels):
    assert fill(runs(np.array(labels, np.uint8)), len(labels)).tolist() == labels


def test_the_best_source_decides():
    annotation = Annotation("v", labels=LABELS, intervals=((0, 1),), times=((0.0, 0.1),))
    table, frame_split = FrameSources(segments={KEY: ([(3, 4)], 8)}), {KEY: np.array([1, 0], np.uint8)}
    everything = FrameSources(frame_splits=frame_split, segments=table.segments)
    assert truth(annotation, everything) == ([(1, 3), (5, 8)], 8)
    without = Annotation("v", intervals=((0, 1),), times=((0.1, 0.55),))
    assert truth(without, everything) == ([(0, 1)], 2)
    assert truth(without, table) == ([(3, 4)], 8)
    assert truth(without) == ([(0, 1)], 8)
    assert truth(Annotation("v", times=((0.1, 0.55),))) == ([(2, 5)], 8)
    assert truth(Annotation("v")) is None
    assert truth() is None


def test_seconds_need_the_file():
    assert truth(Annotation("v", times=((0.1, 0.55),)), frames=None) is None


def test_no_interval_means_no_hesitation_unless_the_label_says_otherwise():
    assert truth(Annotation("v", label=0, intervals=())) == ([], 8)
    assert truth(Annotation("v", label=1, intervals=())) is None


@pytest.mark.parametrize(
    ("frames", "annotated"), [(None, 100), (100, 100), (110, 110), (115, 115), (116, 100), (99, 100)]
)
def test_a_short_quiet_end_is_missing_from_a_table_but_not_from_the_video(frames, annotated):
    sources = FrameSources(segments={KEY: ([(50, 80)], 100)})
    assert truth(sources=sources, frames=frames) == ([(50, 80)], annotated)


def test_certainty_and_cues_go_to_the_interval_they_were_given_for():
    cues = ({"facial": "Frown", "audio": None}, {"facial": None, "audio": None}, {"body": "Nod"})
    annotation = Annotation("v", intervals=((0, 10), (20, 30), (40, 50)), certainty=(1, 2, 3), cues=cues)
    rows = segment_rows("82567_Q7", [(2, 9), (18, 28), (60, 70)], annotation)
    assert [(row["segment"], row["start_frame"], row["end_frame"]) for row in rows] == [
        (0, 2, 9),
        (1, 18, 28),
        (2, 60, 70),
    ]
    assert [row["certainty"] for row in rows] == [1, 2, None]
    assert [row["cues"] and json.loads(row["cues"]) for row in rows] == [{"facial": "Frown"}, None, None]


def test_merged_intervals_give_what_the_longer_one_has():
    annotation = Annotation("v", intervals=((0, 10), (10, 40)), certainty=(1, 2))
    assert segment_rows("v", [(0, 40)], annotation)[0]["certainty"] == 2


def test_lists_of_other_lengths_belong_to_nothing():
    annotation = Annotation("v", intervals=((0, 10),), certainty=(1, 2), cues=({"body": "Nod"},) * 2)
    row = segment_rows("v", [(0, 10)], annotation)[0]
    assert (row["certainty"], row["cues"]) == (None, None)


def test_without_intervals_as_many_certainties_as_segments_go_in_order():
    rows = segment_rows("v", [(0, 10), (20, 30)], Annotation("v", certainty=("2", "high")))
    assert [row["certainty"] for row in rows] == [2, None]
    assert segment_rows("v", [(0, 10)], None)[0]["certainty"] is None


def test_segments_in_seconds_keep_their_times_and_what_was_said_of_them():
    """Two meet, one lies in a hole of the picture, one after its end."""
    times = ((0.2, 0.4), (0.5, 0.6), (0.55, 0.75), (3.0, 4.0))
    annotation = Annotation("v", times=times, certainty=(1, 2, 3, 4))
    assert truth(annotation) == ([(3, 7)], 8)
    rows = timed_rows("82567_Q7", times, TIMES_S, annotation)
    assert [(row["start_s"], row["end_s"], row["start_frame"], row["end_frame"]) for row in rows] == [
        (0.2, 0.4, 3, 3),
        (0.5, 0.75, 3, 7),
    ]
    assert [(row["segment"], row["certainty"]) for row in rows] == [(0, 1), (1, 3)]


@pytest.mark.parametrize(("times", "usable"), [
    (((0.2, 0.4),), True), (((0.13, 0.16),), False), (((3.0, 4.0),), False), (((0.3, 0.3),), False),
])  # fmt: skip
def test_a_segment_in_a_hole_alone_is_usable(times, usable):
    annotation = Annotation("v", label=1, times=times)
    if usable:
        assert truth(annotation) == ([], 8)
    else:
        with pytest.raises(ExcludedItem, match="no interval"):
            truth(annotation)


def test_seconds_beside_frames_are_not_taken():
    table = FrameSources(segments={KEY: ([(3, 4)], 8)})
    seconds = Annotation("v", times=((0.1, 0.5),))
    assert only_in_seconds(KEY, seconds, FrameSources())
    assert not only_in_seconds(KEY, seconds, table)
    assert not only_in_seconds(KEY, replace(seconds, intervals=((1, 2),)), FrameSources())
