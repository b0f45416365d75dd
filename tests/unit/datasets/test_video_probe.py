"""Frame times, sound offset and damage, read from packets; each clip's frames carry their number."""

from __future__ import annotations

import errno
from pathlib import Path

import av
import numpy as np
import pytest

from video_clips import constant_rate, trim_without_encoding, variable_rate, write_clip
from waver.datasets.video_probe import _last_length, probe_video, raise_machine_trouble
from waver.errors import ExcludedItem


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_24_fps_in_any_container(tmp_path, name):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    probe = probe_video(write_clip(tmp_path / name, constant_rate(24, 40), codec))
    assert np.abs(probe.pts_s - np.arange(40) / 24).max() < 1e-3  # Matroska keeps milliseconds
    assert probe.end_s == pytest.approx(40 / 24, abs=2e-3)
    assert (probe.width, probe.height, probe.display.rotation) == (200, 120, 0)
    assert probe.audio_start_s is None
    assert probe.truncated is None


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("b.webm", "libvpx-vp9")])
def test_variable_rate_keeps_every_time(tmp_path, name, codec):
    times = variable_rate(40)
    assert np.ptp(np.diff(times)) > 0.03
    probe = probe_video(write_clip(tmp_path / name, times, codec))
    assert np.abs(probe.pts_s - times).max() < 1e-3
    assert probe.end_s > times[-1]


@pytest.mark.slow
def test_webm_of_a_browser_has_no_duration(tmp_path):
    clip = write_clip(tmp_path / "a.webm", constant_rate(30, 30), "libvpx", options={"live": "1"}, sound_from_s=0.25)
    probe = probe_video(clip)
    assert (len(probe.pts_s), probe.truncated) == (30, None)
    assert probe.end_s == pytest.approx(1.0, abs=0.01)
    assert probe.audio_start_s == pytest.approx(0.25, abs=0.01)


def test_sound_that_starts_late_and_picture_that_starts_late(tmp_path):
    late_sound = probe_video(write_clip(tmp_path / "a.mp4", constant_rate(24, 30), sound_from_s=0.5))
    late_picture = probe_video(
        write_clip(tmp_path / "b.mp4", [t + 0.5 for t in constant_rate(24, 30)], sound_from_s=0.0)
    )
    assert late_sound.audio_start_s == pytest.approx(0.5, abs=0.03)  # up to one AAC priming packet
    assert late_picture.audio_start_s == pytest.approx(-0.5, abs=0.03)
    assert late_picture.origin_s == pytest.approx(0.5)
    assert late_picture.pts_s[0] == 0


def test_edit_list_hides_frames(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", constant_rate(24, 60))
    probe = probe_video(trim_without_encoding(whole, tmp_path / "b.mp4", 1.25))
    assert len(probe.pts_s) == 30
    assert probe.declared_frames == 36  # from the key frame at 24
    assert probe.end_s == pytest.approx(1.25, abs=2e-3)
    assert probe.truncated is None


@pytest.mark.parametrize(("rotation", "size"), [(90, (120, 200)), (180, (200, 120)), (270, (120, 200))])
def test_rotation_flag(tmp_path, rotation, size):
    probe = probe_video(write_clip(tmp_path / "a.mp4", constant_rate(24, 5), rotation=rotation))
    assert probe.display.rotation == rotation
    assert (probe.width, probe.height) == size


def test_cut_short_with_the_index_in_front(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", constant_rate(24, 60), options={"movflags": "faststart"}).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    probe = probe_video(tmp_path / "b.mp4")
    assert 5 < len(probe.pts_s) < 55
    assert probe.truncated == f"the file's index lists 60 video frames, {len(probe.pts_s)} are there"


def test_cut_short_webm_is_seen_by_its_duration(tmp_path):
    whole = write_clip(tmp_path / "a.webm", constant_rate(24, 60), "libvpx-vp9").read_bytes()
    (tmp_path / "b.webm").write_bytes(whole[: len(whole) * 3 // 10])
    probe = probe_video(tmp_path / "b.webm")
    assert len(probe.pts_s) < 30
    assert "the file says it lasts 2.5 s" in (probe.truncated or "")


def test_hidden_vp8_picture_is_no_frame(tmp_path):
    clip = write_clip(tmp_path / "a.webm", constant_rate(24, 20), "libvpx")
    hidden = tmp_path / "b.webm"
    with av.open(str(clip)) as given, av.open(str(hidden), "w") as out:
        copy = out.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if not packet.size:
                continue
            data = bytearray(bytes(packet))
            if number == 7:
                data[0] &= ~0x10  # the frame tag's "show" bit
            made = av.Packet(bytes(data))
            made.pts, made.dts, made.time_base, made.stream = packet.pts, packet.dts, packet.time_base, copy
            made.is_keyframe = packet.is_keyframe
            out.mux(made)
    with av.open(str(hidden)) as container:
        decoded = [frame.pts for frame in container.decode(video=0)]
    probe = probe_video(hidden)
    assert len(decoded) == 19
    assert np.abs(probe.pts_s - np.array(decoded) / 1000).max() < 1e-3


def test_single_frame_lasts_one_slot(tmp_path):
    probe = probe_video(write_clip(tmp_path / "a.mp4", [0.0]))
    assert len(probe.pts_s) == 1
    assert 0 < probe.end_s < 0.1


def test_what_cannot_be_used_is_set_aside(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", constant_rate(24, 30)).read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    with av.open(str(tmp_path / "sound.m4a"), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    for name, reason in {
        "no_index.mp4": "cannot be opened",
        "empty.mp4": "cannot be opened",
        "text.mp4": "cannot be opened",
        "missing.mp4": "does not exist",
        "sound.m4a": "no video stream",
    }.items():
        with pytest.raises(ExcludedItem) as caught:
            probe_video(tmp_path / name)
        assert reason in caught.value.reason, name
        assert caught.value.remedy


def test_a_head_cut_short_is_the_files_fault_though_ffmpeg_speaks_of_the_disk(tmp_path):
    whole = write_clip(tmp_path / "a.webm", constant_rate(24, 10), "libvpx").read_bytes()
    (tmp_path / "b.webm").write_bytes(whole[:100])
    with pytest.raises(av.error.FFmpegError) as raised:
        av.open(str(tmp_path / "b.webm"))
    assert raised.value.errno == errno.EIO
    with pytest.raises(ExcludedItem, match="cannot be opened"):
        probe_video(tmp_path / "b.webm")


def test_a_file_that_the_disk_does_not_give_is_not_set_aside(tmp_path):
    (tmp_path / "a.mp4").symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    with pytest.raises(OSError, match="Input/output error"):
        probe_video(tmp_path / "a.mp4")


def test_a_stale_handle_is_never_the_files_fault(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 5))
    with pytest.raises(OSError, match="Stale"):
        raise_machine_trouble(av.error.OSError(errno.ESTALE, "Stale file handle"), clip)
    raise_machine_trouble(av.error.InvalidDataError(1, "damaged"), clip)


def test_a_title_in_another_encoding_does_not_matter(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 5)).read_bytes()
    assert clip.count(b"Lavf") == 1
    (tmp_path / "b.mp4").write_bytes(clip.replace(b"Lavf", b"\xe9t\xe9s"))
    assert len(probe_video(tmp_path / "b.mp4").pts_s) == 5


def test_frames_that_all_have_one_time_still_last(tmp_path):
    assert _last_length(0.0, np.zeros(3)) == pytest.approx(1 / 24)


def test_real_recordings(installed_models: Path):
    wolfgang = probe_video(installed_models / "wolfgang" / "clip.mp4")
    gap = probe_video(installed_models / "face_gap" / "clip.mov")
    assert len(wolfgang.pts_s) == 472
    assert wolfgang.end_s == pytest.approx(472 / (24000 / 1001), abs=1e-3)
    assert np.ptp(np.diff(gap.pts_s)) > 0.01  # HEVC, truly variable
    assert gap.audio_start_s == pytest.approx(2.43, abs=0.01)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_file_is_read_once(tmp_path, name):
    """Frames of noise, 3 MB; beginnings are read a few times more."""
    clip, draw = tmp_path / name, np.random.default_rng(0)
    with av.open(str(clip), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "0", "g": "24", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 200, 120, "yuv420p"
        for _ in range(72):
            noise = draw.integers(0, 256, (120, 200, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        out.mux(stream.encode(None))
    size = clip.stat().st_size
    assert size > 2e6

    def read_bytes() -> int:
        return int(Path("/proc/self/io").read_text().partition("rchar: ")[2].split()[0])

    before = read_bytes()
    assert len(probe_video(clip).pts_s) == 72
    assert read_bytes() - before < 1.4 * size
