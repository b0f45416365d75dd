"""A small demo data set, really made: what is on disk is what the plan says, trouble included."""

import json
import shutil
import struct
from dataclasses import replace

import av
import numpy as np
import pytest
import yaml

from waver.assets.manifest import installed
from waver.config.sections import DemoConfig
from waver.datasets.bah.video_names import parse_name
from waver.datasets.demo.build import build_demo, plan_demo
from waver.datasets.demo.film import film_key
from waver.datasets.demo.layout import frame_labels, intervals
from waver.datasets.demo.people import Person
from waver.datasets.demo.recording_faults import LATE_S, cover, gap_s
from waver.datasets.demo.render import make_films
from waver.errors import WaverError
from waver.features.faces.detect import FaceDetector
from waver.provenance import file_sha256

pytestmark = pytest.mark.slow

CONFIG = DemoConfig(train=3, val=1, test=2, questions=2, clauses=1, width=320, height=240)


class TupleLoader(yaml.CSafeLoader):
    """Reads the tuples of the release's transcripts."""


TupleLoader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node))
)


@pytest.fixture(scope="module")
def demo(installed_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    root = folder / "raw"
    build_demo(root, folder / "raw.json", installed_models, CONFIG, workers=2)
    return root


@pytest.fixture(scope="module")
def videos():
    return plan_demo(CONFIG)[1]


def troubled(videos, kind):
    return next(video for video in videos if video.trouble == kind)


def times_of(path):
    with av.open(str(path)) as container:
        return np.array([frame.time for frame in container.decode(video=0)])


def sounds_of(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), frames[0].time


def test_every_film_has_the_planned_frames(demo, videos):
    readable = [video for video in videos if video.trouble != "truncated"]
    assert len(readable) == 14
    for video in readable:
        labels = frame_labels(video, CONFIG.seed)
        assert len(times_of(demo / video.path)) == len(labels), video.trouble


def test_an_ordinary_film(demo, videos):
    video = next(video for video in videos if not video.trouble)
    times = times_of(demo / video.path)
    assert times[0] == 0
    np.testing.assert_allclose(np.diff(times), 1 / 24, atol=1e-4)
    with av.open(str(demo / video.path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", 320, 240)
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 44_100, 1)
        assert picture.average_rate == 24
    samples, start = sounds_of(demo / video.path)
    assert start == pytest.approx(0, abs=0.03)
    # speech where the plan has it, a quiet room before
    first = video.clauses[0].start_s
    loud = np.abs(samples[round((first + 0.2) * 44_100) : round((first + 1.2) * 44_100)]).mean()
    assert loud > 5 * np.abs(samples[: round((first - 0.05) * 44_100)]).mean()


def test_rates(demo, videos):
    np.testing.assert_allclose(np.diff(times_of(demo / troubled(videos, "30_fps").path)), 1 / 30, atol=1e-4)
    steps = np.diff(times_of(demo / troubled(videos, "variable_rate").path))
    assert len(np.unique(steps.round(3))) >= 2
    assert 18 < 1 / steps.mean() < 29


def test_edit_list_hides_the_start_of_both_tracks(demo, videos):
    path = demo / troubled(videos, "edit_list").path
    data = path.read_bytes()
    starts, at = [], data.find(b"elst")
    while at >= 0:
        starts.append(struct.unpack_from(">i", data, at + 16)[0])
        at = data.find(b"elst", at + 4)
    assert len(starts) == 2
    assert min(starts) > 0
    times = times_of(path)
    assert times[0] == pytest.approx(0, abs=0.02)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == len(times) + 12


def test_sound_trouble(demo, videos):
    samples, start = sounds_of(demo / troubled(videos, "late_sound").path)
    assert start == pytest.approx(LATE_S, abs=0.03)
    assert len(samples) > 44_100
    with av.open(str(demo / troubled(videos, "no_sound").path)) as container:
        assert len(container.streams.audio) == 0


def test_truncated_file_cannot_be_opened(demo, videos):
    path = demo / troubled(videos, "truncated").path
    assert path.stat().st_size > 10_000
    with pytest.raises(av.FFmpegError):
        av.open(str(path))


def test_cover_hides_the_face_for_the_gap_alone(videos):
    video = troubled(videos, "face_gap")
    points = np.array([[100, 60], [140, 60], [120, 120]], np.float32).repeat(13, 0)[:37]
    points[15:19], points[19:23] = [105, 80], [135, 80]
    person = Person(np.zeros((240, 320, 3), np.uint8), points)
    first, last = gap_s(video)
    for time_s, hidden in ((first - 0.2, False), ((first + last) / 2, True), (last + 0.2, False)):
        picture = np.full((360, 320), 50, np.uint8)
        cover(picture, person, video, time_s)
        assert (picture[90, 120] == 205) == hidden
        assert (picture != 50).any() == hidden


def test_layout_reads_back(demo, videos):
    annotation = yaml.load((demo / "video_annotation_transcript.yaml").read_text(), TupleLoader)
    assert sorted(annotation) == sorted(video.path for video in videos)
    for video in videos:
        entry, labels = annotation[video.path], frame_labels(video, CONFIG.seed)
        assert entry["frame_annotation"] == [[f"{video.path}/frame-{i}.jpg", y] for i, y in enumerate(labels)]
        assert entry["global_ah"] == video.label == max(labels)
        spans = entry["fr_detailed_ah"]
        assert [tuple(span) for span in spans] == intervals(labels)
        assert len(spans) == len(entry["certainty_ah"]) == len(entry["time_detailed_ah"])
        folder = demo / "transcription" / video.path
        own = yaml.load((folder / f"{folder.stem}.yml").read_text(), TupleLoader)
        assert own == entry["transcript"]
        assert isinstance(own["chunks"][0]["timestamp"], tuple)


def test_splits_read_back(demo, videos):
    by_key = {parse_name(video.path).key: video for video in videos}
    seen = []
    for split in ("train", "val", "test"):
        rows = [line.split(",", 2) for line in (demo / "split" / f"{split}.txt").read_text().splitlines()]
        frames = (demo / "split-frames" / f"{split}.txt").read_text().splitlines()
        for path, label, text in rows:
            video = by_key[parse_name(path).key]
            seen.append(video)
            assert (int(label), split) == (video.label, video.participant.split)
            assert text == (video.text if video.trouble != "no_sound" else "Thank you.")
        labels = [y for path, _, _ in rows for y in frame_labels(by_key[parse_name(path).key], CONFIG.seed)]
        assert [int(line.rsplit(",", 1)[1]) for line in frames] == labels
    assert sorted(video.path for video in seen) == sorted(by_key[key].path for key in by_key)
    table = (demo / "bah-video.csv").read_text().splitlines()
    assert table[0].startswith("video-path,")
    assert len(table) == len(videos) + 1


def test_metadata_and_manifest(demo, videos):
    metadata = yaml.safe_load((demo / "meta_data.yml").read_text())
    assert [name for name, row in metadata.items() if "Gender" not in row] == ["90002"]
    assert [name for name, row in metadata.items() if row["Use in publications"] == "No"] == ["90002", "90006"]
    record = json.loads(demo.with_suffix(".json").read_text())
    assert {file["path"] for file in record["files"]} == {
        path.relative_to(demo).as_posix() for path in demo.rglob("*") if path.is_file()
    }
    assert all(file_sha256(demo / file["path"]) == file["sha256"] for file in record["files"])
    assert {video["path"]: video["trouble"] for video in record["videos"]} == {v.path: v.trouble for v in videos}


def test_rerun_makes_missing_films_anew_and_the_same(demo, videos, installed_models):
    before = json.loads(demo.with_suffix(".json").read_text())
    gone = demo / troubled(videos, "two_faces").path
    kept = [video for video in videos if demo / video.path != gone and video.trouble != "truncated"]
    times = {video.path: (demo / video.path).stat().st_mtime_ns for video in kept}
    gone.unlink()
    stray = demo / "Videos/90001/Visite_1/90001_Question_7_2025-01-01_00-00-00_Video.mp4"
    shutil.copy(demo / kept[0].path, stray)
    build_demo(demo, demo.with_suffix(".json"), installed_models, CONFIG, workers=1)
    assert json.loads(demo.with_suffix(".json").read_text()) == before
    assert {path: (demo / path).stat().st_mtime_ns for path in times} == times
    assert not stray.exists()


def test_another_plan_makes_the_film_anew(demo, videos, installed_models, tmp_path):
    video = next(video for video in videos if not video.trouble)
    (tmp_path / video.path).parent.mkdir(parents=True)
    shutil.copy(demo / video.path, tmp_path / video.path)
    clause = video.clauses[0]
    changed = replace(video, clauses=(replace(clause, face=not clause.face),))
    make_films(tmp_path, installed_models, CONFIG, [(changed, "other")])
    assert film_key(tmp_path / video.path) == "other"
    assert file_sha256(tmp_path / video.path) != file_sha256(demo / video.path)


def test_refuses_somebody_elses_recordings_and_odd_sizes(installed_models, tmp_path):
    (tmp_path / "Videos" / "82553").mkdir(parents=True)
    with pytest.raises(WaverError, match="folder of its own"):
        build_demo(tmp_path, tmp_path / "raw.json", installed_models, CONFIG, 1)
    with pytest.raises(WaverError, match="multiples of 4"):
        build_demo(tmp_path / "new", tmp_path / "raw.json", installed_models, DemoConfig(width=321), 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Videos"]


def test_number_of_faces(demo, videos, installed_models):
    detector = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)

    def faces(video, time_s):
        with av.open(str(demo / video.path)) as container:
            frame = next(frame for frame in container.decode(video=0) if frame.time >= time_s)
            return len(detector.detect([frame.to_ndarray(format="rgb24")])[0].score)

    assert faces(troubled(videos, "two_faces"), 1.0) == 2
    assert faces(troubled(videos, "no_face"), 1.0) == 0
    gap = troubled(videos, "face_gap")
    first, last = gap_s(gap)
    assert [faces(gap, time_s) for time_s in (first - 0.3, (first + last) / 2, last + 0.3)] == [1, 0, 1]
    assert [faces(video, 1.5) for video in videos if not video.trouble] == [1] * 6
