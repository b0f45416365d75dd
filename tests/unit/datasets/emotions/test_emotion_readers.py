"""The layouts of emotion data sets become one table; what is unusable is told."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from waver.config.backbone import EmotionImages
from waver.datasets.emotions.readers import EMOTIONS, read_emotions, stamp
from waver.errors import WaverError


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(layout: str, root: Path, every: int = 1) -> tuple[set[tuple[str, str, str]], list[str]]:
    """Path below the root, class and part of each picture; item and reason of what is set aside."""
    pictures, rows = read_emotions([EmotionImages(layout=layout, path=str(root), every=every)])
    found = {(str(Path(p.path).relative_to(root)), EMOTIONS[p.emotion], p.part) for p in pictures}
    assert all(row["stage"] == "train" and row["remedy"] for row in rows)
    return found, [f"{Path(row['item']).name}: {row['reason']}" for row in rows]


def test_folders_with_parts(tmp_path):
    for file in ("train/Happy/a.jpg", "train/neutral/b.jpg", "train/anger/c.PNG", "train/anger/notes.txt"):
        touch(tmp_path / file)
    touch(tmp_path / "validation/surprised/d.jpeg")
    touch(tmp_path / "train/boredom/e.jpg")
    found, actual = read("folders", tmp_path)
    assert found == {
        ("train/Happy/a.jpg", "happiness", "train"),
        ("train/anger/c.PNG", "anger", "train"),
        ("validation/surprised/d.jpeg", "surprise", "val"),
    }
    assert actual == ["boredom: its name is no basic emotion"]


def test_folders_without_parts_keep_a_tenth_for_val_by_name(tmp_path):
    for number in range(400):
        touch(tmp_path / f"fear/{number}.jpg")
    first, _ = read("folders", tmp_path)
    share = sum(part == "val" for _, _, part in first) / 400
    assert 0.06 < share < 0.14
    touch(tmp_path / "fear/more.jpg")
    again, _ = read("folders", tmp_path)
    assert first < again  # a new picture moves no other


def test_raf_db(tmp_path):
    lines = ["train_00001.jpg 5", "train_00002.jpg 7", "test_0001.jpg 1", "test_0002.jpg 8", "", "test_0003.jpg 6"]
    touch(tmp_path / "EmoLabel/list_patition_label.txt", "\n".join(lines))
    (tmp_path / "Image/aligned").mkdir(parents=True)
    found, actual = read("raf_db", tmp_path)
    assert found == {
        ("Image/aligned/train_00001_aligned.jpg", "sadness", "train"),
        ("Image/aligned/test_0001_aligned.jpg", "surprise", "val"),
        ("Image/aligned/test_0003_aligned.jpg", "anger", "val"),
    }
    assert actual == ["list_patition_label.txt:4: it has no class from 1 to 7"]


@pytest.mark.parametrize(("number", "stops"), [(errno.EIO, True), (errno.ENOENT, False)])
def test_a_disk_that_fails_loses_no_face_of_raf_db_in_silence(tmp_path, monkeypatch, number, stops):
    touch(tmp_path / "list_patition_label.txt", "train_00001.jpg 5")
    (tmp_path / "original").mkdir()
    read_text = Path.read_text

    def failing(self, **options):
        if self.name == "train_00001_manu_attri.txt":
            raise OSError(number, os.strerror(number), str(self))
        return read_text(self, **options)

    monkeypatch.setattr(Path, "read_text", failing)
    with pytest.raises(OSError, match="Input/output error") if stops else nullcontext():
        assert read("raf_db", tmp_path) == ({("original/train_00001.jpg", "sadness", "train")}, [])


@pytest.mark.parametrize("head", [True, False])
def test_affectnet(tmp_path, head):
    names = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
    rows = ["1/a.jpg,0,0,9,9,1;2,1,0.5,0.1\n", "1/b.jpg,0,0,9,9,1;2,0,0,0\n", "2/c.jpg,0,0,9,9,1;2,6,0,0\n"]
    rows += ["2/d.jpg,0,0,9,9,1;2,7,0,0\n", "2/e.jpg,0,0,9,9,1;2,x,0,0\n"]
    touch(tmp_path / "training.csv", names * head + "".join(rows))
    touch(tmp_path / "validation.csv", names * head + "3/f.jpg,0,0,9,9,1;2,5,0,0\n")
    (tmp_path / "Manually_Annotated_Images").mkdir()
    found, actual = read("affectnet", tmp_path)
    assert found == {
        ("Manually_Annotated_Images/1/a.jpg", "happiness", "train"),
        ("Manually_Annotated_Images/2/c.jpg", "anger", "train"),
        ("Manually_Annotated_Images/3/f.jpg", "disgust", "val"),
    }
    assert actual == [f"training.csv:{5 + head}: it has no expression from 0 to 11"]


def test_aff_wild2(tmp_path):
    head = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
    touch(tmp_path / "annotations/Train_Set/v1.txt", head + "-1\n0\n1\n2\n6\n7\n4\nx\n")
    touch(tmp_path / "annotations/Validation_Set/v2.txt", head + "5\n5\n5\n")
    touch(tmp_path / "annotations/Validation_Set/v3.txt", head + "1\n")
    for number in (1, 2, 3, 5, 7):
        touch(tmp_path / f"cropped_aligned/v1/{number:05d}.jpg")
    for number in (1, 2, 3):
        touch(tmp_path / f"cropped_aligned/v2/{number:05d}.jpg")
    found, actual = read("aff_wild2", tmp_path)
    assert found == {
        ("cropped_aligned/v1/00003.jpg", "anger", "train"),
        ("cropped_aligned/v1/00005.jpg", "surprise", "train"),
        ("cropped_aligned/v1/00007.jpg", "happiness", "train"),
        *((f"cropped_aligned/v2/0000{n}.jpg", "sadness", "val") for n in (1, 2, 3)),
    }
    assert actual == [
        "v1: 1 of its 8 frames have no picture",
        "v1: 1 of its lines hold no code",
        "v3: its frames are not there",
    ]
    # as in the release, where other tasks are annotated beside
    (tmp_path / "annotations").rename(tmp_path / "EXPR_Challenge")
    touch(tmp_path / "AU_Challenge/Train_Set/v1.txt", "AU1,AU2\n1,0\n")
    assert read("aff_wild2", tmp_path) == (found, actual)
    thinned, _ = read("aff_wild2", tmp_path, every=2)
    assert {path for path, _, _ in found - thinned} == {"cropped_aligned/v2/00002.jpg"}


def test_several_data_sets_make_one_table(tmp_path):
    touch(tmp_path / "a/train/fear/1.jpg")
    touch(tmp_path / "b/list_patition_label.txt", "train_1.jpg 2\n")
    sets = [EmotionImages(path=str(tmp_path / "a")), EmotionImages(layout="raf_db", path=str(tmp_path / "b"))]
    pictures, _ = read_emotions(sets)
    assert [EMOTIONS[picture.emotion] for picture in pictures] == ["fear", "fear"]


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ("folders", r"holds no picture with a basic emotion in the layout folders"),
        ("raf_db", r"has no EmoLabel/list_patition_label.txt; correct backbone.emotions.sets"),
        ("affectnet", r"has none of training.csv"),
        ("aff_wild2", r"has no annotations in Train_Set"),
    ],
)
def test_a_wrong_folder_is_told_in_a_sentence(tmp_path, layout, sentence):
    with pytest.raises(WaverError, match=sentence):
        read_emotions([EmotionImages(layout=layout, path=str(tmp_path))])
    with pytest.raises(WaverError, match="is no folder; correct the path"):
        read_emotions([EmotionImages(layout=layout, path=str(tmp_path / "nowhere"))])


HOSTILE = ("9" * 5000, "²", "-1", "1e9", "nan", "x" * 140_000, "Jane Roe", "\0", "0x1")


@pytest.mark.parametrize("code", HOSTILE)
def test_a_hostile_code_costs_only_its_line(tmp_path, code):
    for name in ("train_1.jpg", "train_2.jpg"):
        touch(tmp_path / f"raf/aligned/{name}")
    touch(tmp_path / "raf/list_patition_label.txt", f"train_1.jpg {code}\ntrain_2.jpg 1\n")
    touch(tmp_path / "net/training.csv", f"path,expression\na.jpg,{code}\nb.jpg,3\n")
    touch(tmp_path / "wild/Train_Set/v1.txt", f"Neutral\n{code}\n1\n")
    for number in (1, 2):
        touch(tmp_path / f"wild/cropped_aligned/v1/{number:05d}.jpg")
    for layout, folder in (("raf_db", "raf"), ("affectnet", "net"), ("aff_wild2", "wild")):
        pictures, message = read_emotions([EmotionImages(layout=layout, path=str(tmp_path / folder))])
        assert len(pictures) == 1, layout
        if code != "-1" or layout != "aff_wild2":  # there it says that nothing is known
            assert len(message) == 1, layout
            assert code not in message[0]["reason"] or len(code) < 3


def test_a_picture_whose_name_is_not_utf_8_is_excluded(tmp_path):
    touch(tmp_path / "happy/a.jpg")
    with open(bytes(tmp_path / "happy") + b"/\xff.jpg", "wb"):
        pass
    pictures, message = read_emotions([EmotionImages(layout="folders", path=str(tmp_path))])
    assert len(pictures) == 1
    assert [row["item"] for row in message] == ["\\xff.jpg"]


def test_a_table_without_the_columns_is_told(tmp_path):
    touch(tmp_path / "training.csv", "name,mood\na.jpg,1\n")
    with pytest.raises(WaverError, match="has no columns subdirectory_filepath and expression"):
        read_emotions([EmotionImages(layout="affectnet", path=str(tmp_path))])


def test_the_stamp_changes_with_labels_and_lists_of_pictures(tmp_path):
    raf, folders = tmp_path / "raf", tmp_path / "folders"
    labels = touch(raf / "list_patition_label.txt", "train_1.jpg 2\n")
    touch(folders / "fear/1.jpg")
    sets = [EmotionImages(layout="raf_db", path=str(raf)), EmotionImages(path=str(folders))]
    first = stamp(sets)
    assert stamp(sets) == first
    labels.write_text("train_1.jpg 3 \n")
    second = stamp(sets)
    os.utime(folders / "fear", ns=(1, 1))  # as a picture added or taken away does
    third = stamp(sets)
    touch(folders / "train/fear/1.jpg")
    fourth = stamp(sets)
    os.utime(folders / "train/fear", ns=(1, 1))
    assert len({first, second, third, fourth, stamp(sets), stamp(sets[:1])}) == 6
    assert stamp([EmotionImages(path=str(tmp_path / "nowhere"))])  # told by the job, not while planning
