import numpy as np
import pytest
import yaml
from bah_tree import annotation_entry, frame_list, put, video_path

from waver.datasets.bah.annotation import read_annotation
from waver.errors import WaverError

VIDEO = video_path("82567", 7)
SPACED = "82557/Visite 1/82557_Question_1_2024-08-22 14-46-11_Video.mp4"


@pytest.fixture
def read(tmp_path):
    def _read(content, **style):
        text = content if isinstance(content, str) else yaml.dump(content, **style)
        return read_annotation(put(tmp_path / "annotation.yaml", text))

    return _read


def was_fast(caplog):
    messages = [message for message in caplog.messages if "lists of frames" in message][-1]
    return int(messages.split(" lists of frames")[0].split()[-1])


def tuples(entry):
    return {**entry, "frame_annotation": [tuple(item) for item in entry["frame_annotation"]]}


@pytest.mark.parametrize("video", [VIDEO, SPACED])
@pytest.mark.parametrize(
    "style", [{}, {"width": 1000}, {"default_flow_style": None}, {"default_flow_style": None, "width": 1000}]
)
@pytest.mark.parametrize("bend", [dict, tuples])
def test_every_way_to_write_the_list_is_read_the_fast_way(read, caplog, video, style, bend):
    caplog.set_level("INFO")
    entry = annotation_entry(video, (3, 9))
    other = video_path("82999", 7)
    found = read({video: bend(entry), other: bend(annotation_entry(other))}, **style)
    assert was_fast(caplog) == 2
    assert found[0].problem is None
    labels = np.zeros(24)
    labels[3:9] = 1
    assert found[0].labels.dtype == np.uint8
    assert np.array_equal(found[0].labels, labels)
    assert found[0].intervals == ((3, 9),)
    assert found[0].times == ((0.125, 0.375),)
    assert found[0].certainty == (2,)
    assert found[0].cues[0]["facial"] == "Frown"
    assert found[0].transcript["text"] == " From the annotation."


@pytest.mark.parametrize(
    "odd",
    [
        {VIDEO: {"frame_annotation": [[f"{VIDEO}/frame-0.jpg", 1, "note"]] * 2}},
        {VIDEO: {"frame_annotation": [[f"{VIDEO}/frame-0.jpg", "1"], [f"{VIDEO}/frame-1.jpg", 0]]}},
        {VIDEO: {"frame_annotation": {"frames": 3}}},
        {VIDEO: {"frame_annotation": [[f"{SPACED}/frame-0.jpg", 1], [f"{VIDEO}/frame-1.jpg", 0]]}},
    ],
)
def test_a_list_of_another_shape_is_left_to_yaml(read, caplog, odd):
    caplog.set_level("INFO")
    read(odd)
    assert was_fast(caplog) == 0


def test_yaml_gives_the_same_as_the_fast_way(read, caplog):
    caplog.set_level("INFO")
    entry = annotation_entry(VIDEO, (5, 20))
    fast = read({VIDEO: entry})[0]
    slow = read(yaml.dump({VIDEO: entry}, default_flow_style=True, width=10**6))[0]
    assert was_fast(caplog) == 0
    assert np.array_equal(fast.labels, slow.labels)
    assert fast.intervals == slow.intervals


def test_objects_written_once_and_referred_to(read):
    entry = annotation_entry(VIDEO, (3, 9))
    other = video_path("82568", 7)
    shared = {**annotation_entry(other, (3, 9)), "all_cues": entry["all_cues"]}
    text = yaml.dump({VIDEO: entry, other: shared})
    assert "&id" in text
    assert read(text)[1].cues == ({**entry["all_cues"][0]},)


def test_frames_out_of_order_are_put_in_order(read):
    frames = frame_list(VIDEO, (2, 4), 12)
    labels = read({VIDEO: {"frame_annotation": frames[6:] + frames[:6]}})[0].labels
    assert labels.tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_frames_may_be_counted_from_one(read):
    frames = [[path.replace("frame-", "frame-1"), label] for path, label in frame_list(VIDEO, (2, 4), 10)]
    renamed = [[f"{VIDEO}/frame-{number}.jpg", label] for number, (_, label) in enumerate(frames, start=1)]
    assert read({VIDEO: {"frame_annotation": renamed}})[0].labels.tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            {"frame_annotation": frame_list(VIDEO, None, 5)[:2] + frame_list(VIDEO, None, 5)[3:]},
            "lacks or repeats frames",
        ),
        ({"frame_annotation": frame_list(VIDEO, None, 5) * 2}, "lacks or repeats frames"),
        ({"frame_annotation": frame_list(VIDEO, None, 9)[4:]}, "lacks or repeats frames"),
        ({"frame_annotation": frame_list(SPACED, None, 5)}, "another video"),
        ({"frame_annotation": [[f"{VIDEO}/frame-0.jpg", 2]]}, "other than 0 and 1"),
        ({"frame_annotation": "none"}, "no list of pictures and labels"),
        ({"fr_detailed_ah": [[9, 3]]}, "ends before it starts"),
        ({"global_ah": 3}, "neither 0 nor 1"),
        ("positive", "no table of fields"),
    ],
)
def test_one_bad_entry_is_its_own_problem(read, entry, reason):
    good, bad = read({video_path("82500", 1): annotation_entry(video_path("82500", 1)), VIDEO: entry})
    assert good.problem is None
    assert len(good.labels) == 24
    assert reason in bad.problem.reason
    assert bad.labels is None


def test_odd_intervals_do_not_spoil_good_frame_labels(read):
    found = read({VIDEO: {**annotation_entry(VIDEO, (3, 9)), "fr_detailed_ah": [["?", 3]], "certainty_ah": 1}})[0]
    assert found.problem is None
    assert found.intervals is None
    assert found.certainty == (1,)


@pytest.mark.parametrize("times", [[["00:00:02.200", "00:01:04"]], [[2.2, 64]], [2.2, 64.0]])
def test_times_as_text_or_numbers(read, times):
    assert read({VIDEO: {"time_detailed_ah": times}})[0].times == ((2.2, 64.0),)


def test_a_broken_file_stops_the_job_with_the_right_line(read):
    text = yaml.dump({VIDEO: annotation_entry(VIDEO), video_path("82999", 1): annotation_entry(video_path("82999", 1))})
    lines = text.splitlines()
    at = max(number for number, line in enumerate(lines) if "global_ah" in line)
    lines[at] = "  global_ah: [0"
    with pytest.raises(WaverError, match=rf"annotation.yaml, line ({at + 1}|{at + 2}): not readable as YAML"):
        read("\n".join(lines))


def test_a_file_cut_off_in_the_middle_of_a_word_stops_the_job(read):
    text = yaml.dump({VIDEO: annotation_entry(VIDEO)}, default_flow_style=None, width=1000)
    with pytest.raises(WaverError, match="not readable as YAML"):
        read(text[: text.index("frame-20.jpg") + 3])


@pytest.mark.parametrize("content", ["just text\n", "[1, 2]\n", ""])
def test_a_file_without_videos_stops_the_job(read, content):
    with pytest.raises(WaverError, match="no table of videos"):
        read(content)


def test_a_file_that_is_no_text_stops_the_job(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(WaverError, match="not UTF-8"):
        read_annotation(tmp_path / "a.yaml")
