import numpy as np
import pytest
from bah_tree import put, video_path

from waver.datasets.bah.segments import runs
from waver.datasets.bah.splits import check_disjoint, read_classes, read_frame_split, read_segment_table, read_split
from waver.datasets.bah.video_names import parse_name
from waver.errors import WaverError

CLASSES = read_classes(None)


def read(tmp_path, text, split="train"):
    return read_split(put(tmp_path / f"split/{split}.txt", text), split, CLASSES, tmp_path)


def test_only_two_commas_separate(tmp_path):
    text = f'{video_path("82567", 7)},1,Well, "yes", and, no,\n{video_path("82567", 1)},No A-H,\n'
    entries, bad = read(tmp_path, "\ufeff" + text)
    assert not bad
    assert [entry.label for entry in entries] == [1, 0]
    assert entries[0].transcript == 'Well, "yes", and, no,'
    assert entries[1].transcript == ""


def test_a_line_without_label_is_a_video_without_label(tmp_path):
    entries, bad = read(tmp_path, f"{video_path('82567', 7)}\n\n")
    assert [entry.label for entry in entries] == [None]
    assert not bad


def test_lines_that_say_nothing_are_named_without_their_words(tmp_path):
    lines = ["path,label,transcript", f"{video_path('82567', 7)},my secret,2", "Videos/odd.mp4,1,another secret"]
    entries, bad = read(tmp_path, "\n".join(lines))
    assert not entries
    assert [row["item"] for row in bad] == ["82567_Q7", "split/train.txt, line 3"]
    assert "none of the classes" in bad[0]["reason"]
    assert "secret" not in str(bad)


def test_a_participant_in_two_splits_stops_the_job(tmp_path):
    train, _ = read(tmp_path, f"{video_path('82567', 7)},1,a\n{video_path('82569', 7)},1,a\n")
    val, _ = read(tmp_path, f"{video_path('82567', 2)},0,b\n{video_path('82570', 2)},0,b\n", "val")
    with pytest.raises(WaverError) as stopped:
        check_disjoint(train + val)
    message = str(stopped.value)
    assert "82567" in message
    assert "82569" not in message
    assert "split/train.txt" in message
    assert "split/val.txt" in message


def test_names_of_classes_may_be_given(tmp_path):
    put(tmp_path / "class_id.yaml", "[With A-H, No A-H]\n")
    with pytest.raises(WaverError, match="no table of class names"):
        read_classes(tmp_path / "class_id.yaml")
    put(tmp_path / "class_id.yaml", "With A-H: 1\nNo A-H: 0\n")
    assert read_classes(tmp_path / "class_id.yaml") == CLASSES


@pytest.mark.parametrize("header", ["", "image,label\n"])
def test_frame_level_split(tmp_path, header):
    video, short = video_path("82567", 7, separator=" "), video_path("82567", 1)
    lines = [f"{video}/frame-{number}.jpg,{int(2 <= number < 11)}" for number in range(12)]
    lines += [f"{short}/frame-{number}.jpg,0" for number in (0, 2)]  # a frame is missing
    found = read_frame_split(put(tmp_path / "train.txt", header + "\n".join(lines) + "\n"), CLASSES)
    assert list(found) == ["82567/1/7/2024-10-02_15-46-17"]
    assert runs(next(iter(found.values()))) == [(2, 11)]


def test_segment_table(tmp_path):
    video = video_path("82567", 7)
    text = f"video,segment_id,label,num_frames,start_frame,end_frame\n{video},0,0,10,0,9\n{video},1,1,5,10,14\n"
    key = "82567/1/7/2024-10-02_15-46-17"
    assert read_segment_table(put(tmp_path / "s.csv", text), []) == {key: ([(10, 15)], 15)}


@pytest.mark.parametrize(
    "line",
    [
        "{video},2,1,5,20", "{video},2,1,5,-20,-10", "{video},2,1,5,0,1000000000", "{video},2,1,5,0,9{digits}",
        "{video},2,7,5,20,24", "{video},2,1,5,x,24",
    ],
)  # fmt: skip
def test_a_line_that_is_no_segment_costs_its_video_alone(tmp_path, line):
    other, video = video_path("82500", 1), video_path("82567", 7)
    text = f"video,segment_id,label,num_frames,start_frame,end_frame\n{video},1,1,5,10,14\n"
    text += line.format(video=video, digits="9" * 5000) + f"\n{other},1,1,5,10,14\n"
    exclusions = []
    assert list(read_segment_table(put(tmp_path / "s.csv", text), exclusions)) == [parse_name(other).key]
    assert [row["reason"] for row in exclusions] == ["s.csv, line 3: no row of a segment table"]


def test_a_segment_table_with_other_columns_is_left_out(tmp_path):
    exclusions = []
    assert read_segment_table(put(tmp_path / "s.csv", "video,label\na,1\nb,1\n"), exclusions) == {}
    assert len(exclusions) == 1


@pytest.mark.parametrize(("split", "videos", "positive"), [("train", 616, 340), ("val", 110, 59)])
def test_public_split_files(bah_files, split, videos, positive):
    entries, bad = read_split(bah_files / f"video_level_{split}.txt", split, CLASSES, bah_files)
    assert not bad
    assert len(entries) == videos
    assert sum(entry.label or 0 for entry in entries) == positive
    assert len({entry.name.video for entry in entries}) == videos
    assert all(entry.transcript for entry in entries)


def test_public_splits_share_no_participant(bah_files):
    parts = {
        split: read_split(bah_files / f"video_level_{split}.txt", split, CLASSES, bah_files)[0]
        for split in ("train", "val")
    }
    check_disjoint(parts["train"] + parts["val"])
    assert [len({entry.name.participant for entry in part}) for part in parts.values()] == [143, 25]


@pytest.mark.parametrize(("split", "segments", "frames"), [("train", 643, 65_282), ("val", 144, 15_157)])
def test_public_segments(bah_files, split, segments, frames):
    table = read_segment_table(bah_files / f"segments_{split}.csv", [])
    intervals = [interval for found, _ in table.values() for interval in found]
    assert len(intervals) == segments
    assert int(np.diff(intervals).sum()) == frames  # dataset paper, table 3: frames with A/H


def test_three_public_videos_show_it_in_no_frame(bah_files):
    entries, _ = read_split(bah_files / "video_level_train.txt", "train", CLASSES, bah_files)
    table = read_segment_table(bah_files / "segments_train.csv", [])
    odd = [entry.name.video for entry in entries if entry.label == 1 and not table[entry.name.key][0]]
    assert sorted(odd) == ["82575_Q1", "82601_Q4", "82603_Q4"]
    assert not [entry for entry in entries if entry.label == 0 and table[entry.name.key][0]]
