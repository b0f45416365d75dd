"""The release's own faces: numbers, spellings, damaged and missing pictures, and how far detected ones agree."""

import errno
import json
import os
import shutil
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from video_clips import constant_rate, write_clip
from waver.config.sections import FacesConfig
from waver.errors import ExcludedItem
from waver.features.faces.released import correlation, make_faces
from waver.features.faces.released_files import picture_in, pictures_of
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table, write_table
from waver.io.zarr_store import read_attributes, read_store
from waver.report.reasons import shown_note, shown_reason, shown_remedy

CONFIG = FacesConfig(source="released", compare_every=0, size=64)
STEM = "Videos/82567/Visite_1/82567_Question_7_2024-10-02{}15-46-17_Video.mp4"
VIDEO, SPELT = STEM.format(" "), STEM.format("_")
FRAMES = 36


def face(number, side=96):
    """A picture whose grey tells its number, with some texture."""
    picture = np.full((side, side, 3), 20 + 5 * (number % 40), np.uint8)
    picture[: side // 4] = 250
    return picture


def jpeg(picture):
    return cv2.imencode(".jpg", picture)[1].tobytes()


@pytest.fixture
def release(tmp_path):
    """A video of 36 frames and its pictures, whose names are not in the order of text."""
    (tmp_path / VIDEO).parent.mkdir(parents=True)
    write_clip(tmp_path / VIDEO, constant_rate(24, FRAMES))
    folder = tmp_path / "cropped-aligned-faces" / SPELT
    folder.mkdir(parents=True)
    for number in range(FRAMES):
        (folder / f"frame-{number}.jpg").write_bytes(jpeg(face(number)))
    return tmp_path, folder


def make(root, config=CONFIG, model=None):
    (found,) = made(root, [VIDEO], config, model)
    path = root / "out/stores/82567/82567_Q7.zarr"
    return found, read_store(path) if found["status"] == "ok" else None


def made(root, paths, config=CONFIG, model=None):
    """Rows of the index of one shard."""
    known = dict.fromkeys(VIDEOS.names) | {
        "participant": "82567", "split": "train", "question": 7, "label": 0,
        "source_frames": FRAMES, "source_fps": 24.0, "duration_s": 1.5, "has_audio": False, "checksum": "c",
    }  # fmt: skip
    rows = [{**known, "path": path, "video": f"82567_Q{number}"} for number, path in enumerate(paths, start=7)]
    write_table(root / "videos.parquet", rows, VIDEOS)
    index = root / "out/index.parquet"
    make_faces(root / "videos.parquet", root, model or root / "none", None, root / "out/stores", index, config, "1")
    return read_table(index, FEATURE_INDEX)


def copied(root, folder):
    """Path of a second video, of another participant, with the frames of the first and its pictures as they are."""
    other = VIDEO.replace("82567", "82568")
    (root / other).parent.mkdir(parents=True)
    (root / other).write_bytes((root / VIDEO).read_bytes())
    shutil.copytree(folder, root / "cropped-aligned-faces" / other)
    return other


def shade(image):
    return int(image[40:].mean().round())


def numbers(store):
    """Which picture each slot shows."""
    return [round((shade(image) - 20) / 5) for image in store["image"]]


def test_pictures_are_in_the_order_of_their_numbers_on_the_clock_of_the_video(release):
    root, _ = release
    row, store = make(root)
    assert (row["status"], row["frames"], row["note"]) == ("ok", FRAMES, "released faces; face in 100% of frames")
    assert numbers(store) == list(range(FRAMES))
    assert store["image"].shape == (FRAMES, 64, 64, 3)
    assert store["valid"].all()
    assert store["source_frame"].tolist() == list(range(FRAMES))
    assert np.isnan(store["landmarks"]).all()
    assert np.isnan(store["box"]).all()
    assert store["landmarks"].shape == (FRAMES, 5, 2)


def test_a_slower_video_shows_its_pictures_longer_and_a_faster_one_some_of_them(release):
    root, _ = release
    write_clip(root / VIDEO, constant_rate(12, FRAMES))
    assert numbers(make(root)[1])[:6] == [0, 0, 1, 1, 2, 2]
    write_clip(root / VIDEO, constant_rate(48, FRAMES))
    _, store = make(root, CONFIG.model_copy(update={"quality": 94}))
    assert numbers(store) == list(range(0, FRAMES, 2))


def test_missing_and_damaged_pictures_are_left_out_one_by_one(release):
    root, folder = release
    (folder / "frame-3.jpg").unlink()
    (folder / "frame-10.jpg").write_bytes(b"")
    (folder / "frame-11.jpg").write_bytes(jpeg(face(11))[:700])
    (folder / "frame-12.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    (folder / "frame-x.jpg").write_bytes(b"")
    (folder / "frame-13.jpg").rename(folder / "frame-0013.JPEG")
    row, store = make(root)
    assert np.flatnonzero(~store["valid"]).tolist() == [3, 10, 11, 12]
    assert numbers(store)[2:5] == [2, 2, 4]
    assert numbers(store)[9:14] == [9, 9, 9, 9, 13]
    assert row["note"].startswith("released faces; 1 of 36 pictures are missing; 3 of 36 pictures cannot be opened; ")
    assert shown_note(row["note"]) == row["note"]


def rename(folder, name):
    for picture in sorted(folder.iterdir()):
        number = int(picture.stem.partition("-")[2])
        picture.rename(folder / name.format(number))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Frame_{:06d}.JPG", "82567 Q7 - {:d}.jpeg", "2024-10-02_{:04d}.jpg"])
def test_the_last_number_of_other_names_counts(release, name):
    root, folder = release
    rename(folder, name)
    row, store = make(root)
    assert numbers(store) == list(range(FRAMES))
    assert row["note"] == "released faces; face in 100% of frames"


def test_pictures_beside_the_series_are_told_and_not_used(release):
    root, folder = release
    (folder / "thumbnail.png").write_bytes(jpeg(face(30)))
    (folder / "preview-3.jpg").write_bytes(jpeg(face(30)))
    (folder / "frame-4.webp").write_bytes(b"")
    (folder / "._frame-5.jpg").write_bytes(b"of another file system")
    (folder / "frame-7 (1).jpg").write_bytes(jpeg(face(30)))
    (folder / "frame-40.jpg").write_bytes(jpeg(face(30)))
    row, store = make(root)
    assert numbers(store) == list(range(FRAMES))
    assert row["note"] == (
        "released faces; pictures of frames that the video does not have: 1; "
        "pictures with other names, not used: 4; face in 100% of frames"
    )
    assert shown_note(row["note"]) == row["note"]


def test_of_two_pictures_of_a_number_the_one_with_content_then_the_releases_own_is_shown(release):
    root, folder = release
    (folder / "frame-01.jpg").write_bytes(jpeg(face(30)))
    (folder / "frame-02.jpg").write_bytes(jpeg(face(2)))
    (folder / "frame-2.jpg").write_bytes(b"")
    (folder / "frame-3.png").write_bytes(b"")
    row, store = make(root)
    assert numbers(store) == list(range(FRAMES))
    assert "; further pictures of the same numbers, not used: 3; " in row["note"]
    assert shown_note(row["note"]) == row["note"]


def test_pictures_without_numbers_are_not_called_missing(release):
    root, folder = release
    for picture in folder.iterdir():
        picture.rename(folder / f"{'abcdefghij'[int(picture.stem[6:]) % 10]}{'x' * int(picture.stem[6:])}.jpg")
    row, _ = make(root)
    assert row["reason"] == "none of its 36 released pictures is a JPEG or PNG file with a number in its name"
    assert shown_reason(row["reason"]) == row["reason"]
    assert shown_remedy(row["remedy"]) == row["remedy"]


def test_sizes_and_formats_may_differ_from_picture_to_picture(release):
    root, folder = release
    for number in range(0, FRAMES, 3):
        (folder / f"frame-{number}.jpg").write_bytes(jpeg(face(number, 40 + number)))
    for number in range(1, FRAMES, 3):
        (folder / f"frame-{number}.jpg").unlink()
        wide = cv2.resize(face(number), (64, 60))  # as high as a store's picture is not, and nearly square
        (folder / f"frame-{number}.PNG").write_bytes(cv2.imencode(".png", wide)[1].tobytes())
    _, store = make(root)
    assert numbers(store) == list(range(FRAMES))
    assert store["valid"].all()


def test_what_the_release_shows_without_a_face_is_not_valid(release):
    """Whole pictures before the first face, and the last face again and again; a short repetition is a slow camera."""
    root, folder = release
    for number in range(4):
        (folder / f"frame-{number}.jpg").write_bytes(jpeg(np.full((48, 64, 3), 200, np.uint8)))
    for number in range(11, 25):
        (folder / f"frame-{number}.jpg").write_bytes((folder / "frame-10.jpg").read_bytes())
    (folder / "frame-30.jpg").write_bytes((folder / "frame-29.jpg").read_bytes())
    _, store = make(root)
    assert np.flatnonzero(~store["valid"]).tolist() == [0, 1, 2, 3, *range(17, 25)]
    assert numbers(store)[:5] == [4] * 5
    assert numbers(store)[24] == 10


def test_pictures_that_are_counted_from_one_are_moved(release):
    root, folder = release
    for number in reversed(range(FRAMES)):
        (folder / f"frame-{number}.jpg").rename(folder / f"frame-{number + 1}.jpg")
    row, store = make(root)
    assert numbers(store) == list(range(FRAMES))
    assert "missing" not in row["note"]


def test_a_picture_beyond_the_video_moves_none_where_another_video_is_counted_from_0(release):
    root, folder = release
    other = copied(root, folder)
    (folder / "frame-0.jpg").rename(folder / f"frame-{FRAMES}.jpg")
    made(root, [VIDEO, other])
    assert numbers(read_store(root / "out/stores/82567/82567_Q7.zarr"))[1:] == list(range(1, FRAMES))


@pytest.mark.parametrize("lost", [1, FRAMES])
def test_where_the_first_or_the_last_picture_is_lost_they_are_counted_as_those_of_the_other_videos(release, lost):
    root, folder = release
    for number in reversed(range(FRAMES)):
        (folder / f"frame-{number}.jpg").rename(folder / f"frame-{number + 1}.jpg")
    other = copied(root, folder)
    (folder / f"frame-{lost}.jpg").unlink()
    row, _ = made(root, [VIDEO, other])
    assert f"1 of {FRAMES} pictures are missing" in row["note"]
    assert "does not have" not in row["note"]
    shown = numbers(read_store(root / "out/stores/82567/82567_Q7.zarr"))
    assert shown[1:-1] == list(range(1, FRAMES - 1))


@pytest.mark.parametrize("top", ["cropped_aligned", "cropped_aligned_faces"])
def test_other_names_of_the_folder_are_known_and_the_videos_own_spelling_too(release, top):
    root, _ = release
    (root / "cropped-aligned-faces").rename(root / top)
    (root / top / SPELT).rename(root / top / VIDEO)
    assert list(pictures_of(root, VIDEO)) == list(range(FRAMES))
    assert pictures_of(root, STEM.format("_").replace("Question_7", "Question_6")) == {}
    assert pictures_of(root, "elsewhere/clip.mp4") == {}


@pytest.mark.parametrize("content", [None, b"", jpeg(np.zeros((48, 64, 3), np.uint8))])
def test_a_video_without_any_face_is_excluded_alone_and_told(release, content):
    root, folder = release
    for picture in folder.iterdir():
        picture.unlink()
        if content is not None:
            picture.write_bytes(content)
    row, _ = make(root)
    assert row["status"] == "set_aside"
    assert "released pictures shows" in row["reason"] or "no cropped and aligned" in row["reason"]
    assert shown_reason(row["reason"]) == row["reason"]
    assert shown_remedy(row["remedy"]) == row["remedy"]
    assert "--forcerun features_faces" in row["remedy"], "no rule looks at the pictures: they alone start nothing"
    assert not issubclass(ExcludedItem, OSError)


def test_a_folder_that_cannot_be_read_excludes_its_recording_alone(release, monkeypatch):
    """A refusal of the system is made up, for whoever runs this may read every folder."""
    root, folder = release
    other = VIDEO.replace("Question_7", "Question_8")
    shutil.copy(root / VIDEO, root / other)
    shutil.copytree(folder, root / "cropped-aligned-faces" / other)
    there = Path.iterdir
    refused = {folder: errno.EACCES}

    def refusing(self):
        if self in refused:
            raise OSError(refused[self], os.strerror(refused[self]), str(self))
        return there(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    first, second = made(root, [VIDEO, other])
    assert (first["status"], second["status"]) == ("set_aside", "ok")
    assert first["reason"] == "the folder of its released pictures cannot be read"
    assert shown_reason(first["reason"]) == first["reason"]
    assert shown_remedy(first["remedy"]) == first["remedy"]
    refused[folder] = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        made(root, [VIDEO, other])


def saved(picture, kind, **options):
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_data_say(orientation):
    """OpenCV turns pictures itself."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    shown = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    content = saved(Image.fromarray(shown).resize((60, 40)), "JPEG", exif=exif, quality=95)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    found = picture_in(content)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 2
    assert (found.shape[0] > found.shape[1]) == (orientation > 4)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_data_lose_no_picture():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.XResolution] = 6, 72.0
    content, written = saved(Image.fromarray(face(9)), "JPEG", exif=exif), exif.tobytes()
    assert written in content
    for place in range(6, len(written)):
        for value in (0, 1, 2, 13, 255):
            damaged = written[:place] + bytes([value]) + written[place + 1 :]
            assert picture_in(content.replace(written, damaged)) is not None, (place, value)


def test_a_grey_picture_of_16_bits_keeps_its_shades():
    grey = face(9)[..., 0]
    found = picture_in(saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    assert (found == face(9)).all()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "JPEG"), ("CMYK", "JPEG"), ("L", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("PA", "PNG")],
)
def test_pictures_of_every_mode_show_their_colours(mode, kind):
    plain = Image.fromarray(face(9))
    picture = plain.quantize(8) if mode in ("P", "PA") else plain.convert(mode)
    options = {"transparency": 0} if mode == "PA" else {}
    found = picture_in(saved(picture, kind, **options))
    assert found.shape == (96, 96, 3)
    assert np.abs(found.astype(int) - face(9)).mean() < 3


def test_a_black_and_white_picture_is_opened():
    found = picture_in(saved(Image.fromarray(face(9)).convert("1"), "PNG"))
    assert set(np.unique(found)) == {0, 255}


def test_no_other_format_is_opened_whatever_its_name():
    picture = Image.fromarray(face(9))
    assert {kind: picture_in(saved(picture, kind)) is not None for kind in ("JPEG", "PNG", "GIF", "TIFF", "EPS")} == {
        "JPEG": True, "PNG": True, "GIF": False, "TIFF": False, "EPS": False,
    }  # fmt: skip


def test_other_pictures_make_another_store_and_the_same_ones_do_not(release):
    root, folder = release
    first, _ = make(root)
    again, _ = make(root)
    assert first["key"] == again["key"]
    (folder / "frame-5.jpg").write_bytes(jpeg(face(31)) + b"  ")
    changed, store = make(root)
    assert changed["key"] != first["key"]
    assert numbers(store)[5] == 31


@pytest.mark.slow
def test_detected_faces_are_compared_where_both_are(release, installed_models):
    """The portrait is in all frames, and its aligned face is released in all but the last twelve."""
    root, folder = release
    picture = cv2.imread(str(installed_models / "astronaut/image.png"))[20:260, 110:350]
    model = installed_models / "retinaface_mobilenet/asset.json"
    with av.open(str(root / VIDEO), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 240, 240, "yuv420p"
        for _ in range(FRAMES):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")))
        out.mux(stream.encode(None))
    detected = FacesConfig(size=64, every=12)
    row, store = make(root, detected, model)
    assert row["status"] == "ok"
    for number in range(FRAMES):
        rng = np.random.default_rng(number)
        noisy = store["image"][number].astype(int) + rng.integers(-3, 4, store["image"][number].shape)
        (folder / f"frame-{number}.jpg").write_bytes(jpeg(noisy.clip(0, 255).astype(np.uint8)[..., ::-1]))
    for number in range(24, FRAMES):
        (folder / f"frame-{number}.jpg").unlink()
    make(root, CONFIG.model_copy(update={"compare_every": 6}), model)
    agreed = read_attributes(root / "out/stores/82567/82567_Q7.zarr")["agreement"]
    assert {name: agreed[name] for name in ("frames", "released", "detected", "both", "pairs")} == {
        "frames": 6, "released": 4, "detected": 6, "both": 4, "pairs": 4,
    }  # fmt: skip
    assert 0.9 < agreed["similarity"] / agreed["pairs"] <= 1
    json.dumps(agreed)


def test_similarity_is_of_the_picture_and_not_of_its_light():
    rng = np.random.default_rng(0)
    one = cv2.resize(rng.integers(0, 200, (8, 8, 3), np.uint8), (64, 64))
    assert correlation(one, one + 40) == pytest.approx(1, abs=0.01)
    assert abs(correlation(one, np.ascontiguousarray(one[::-1, ::-1]))) < 0.5
    assert correlation(one, np.full_like(one, 7)) == 0
