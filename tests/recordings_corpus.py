"""Good and bad recordings as people have them, made in code, and ONE table of what each must give.

A recording is made by a function of a path. Its frames carry their number (``video_clips``), its sound is a tone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

from sounding_clips import tone, write_sounding
from video_clips import constant_rate, numbered, trim_without_encoding, variable_rate, write_clip, write_packets_at

Make = Callable[[Path], Path]


@dataclass(frozen=True)
class Read:
    """A recording that can be used.

    Attributes:
        slots: T, slots of 1/24 s.
        frames: displayed frames of the file.
        first: number on its first displayed frame; None: its frames are black.
        turned: quarter turns, counter-clockwise, by which it is displayed.
        mirrored: it is displayed as in a mirror.
        sound_s: when its tone begins; None: it has no sound.
        unseen: slots in a hole of the picture.
        lost: frames that cannot be decoded, at most.
        truncated: beginning of what is said of a file that is cut short; ingest sets it aside.
        note: part of what is said of its sound.
    """

    slots: int
    frames: int
    first: int | None = 0
    turned: int = 0
    mirrored: bool = False
    sound_s: float | None = None
    unseen: int = 0
    lost: int = 0
    truncated: str = ""
    note: str = ""


@dataclass(frozen=True)
class SetAside:
    """A recording that cannot be used, and part of why."""

    reason: str


@dataclass(frozen=True)
class Recording:
    """One line of the table."""

    file: str
    make: Make
    gives: Read | SetAside


def clip(times: Sequence[float], **options: object) -> Make:
    """Frames at given times, see ``write_clip``."""
    return lambda path: write_clip(path, times, **options)  # type: ignore[arg-type]


def changed(make: Make, change: Callable[[bytes], bytes]) -> Make:
    """A recording whose bytes are changed."""

    def make_it(path: Path) -> Path:
        path.write_bytes(change(make(path).read_bytes()))
        return path

    return make_it


def of_bytes(content: bytes) -> Make:
    """A file of some bytes."""

    def make_it(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make_it


def damaged(content: bytes, at: float, count: int, value: int = 0x55) -> bytes:
    """Some bytes overwritten, at a share of the length."""
    start = int(len(content) * at)
    return content[:start] + bytes([value]) * count + content[start + count :]


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """The first occurrence of some bytes changed."""

    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


def shown_by(a: int, b: int, c: int, d: int) -> Callable[[bytes], bytes]:
    """The display matrix of an MP4: (x, y) is shown at (ax + cy, bx + dy)."""

    def change(content: bytes) -> bytes:
        data, at = bytearray(content), content.index(b"tkhd") + 44
        for place, value in ((0, a), (4, b), (12, c), (16, d)):
            struct.pack_into(">i", data, at + place, value << 16)
        return bytes(data)

    return change


def seen_in_a_mirror(content: bytes) -> bytes:
    """Left and right exchanged, as front cameras write it."""
    return shown_by(-1, 0, 0, 1)(content)


def trimmed(path: Path, start_s: float) -> Path:
    """Cut without encoding; an edit list hides the frames before."""
    return trim_without_encoding(write_clip(path.with_name("whole.mp4"), constant_rate(24, 40)), path, start_s)


def sound_alone(path: Path) -> Path:
    """A file without a picture."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        for piece in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * piece, Fraction(1, 48000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def a_picture(path: Path) -> Path:
    """A photo with the name of a video."""
    with av.open(str(path), "w", format="image2") as out:
        stream = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 200, 120, "yuvj420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(1), format="rgb24")))
    return path


def started_anew(path: Path) -> Path:
    """Two pieces of a camera that set its clock back, one after the other."""
    later = write_clip(path.with_name("later.ts"), [20 + time_s for time_s in constant_rate(24, 40)])
    first = write_clip(path.with_name("first.ts"), constant_rate(24, 40))
    path.write_bytes(later.read_bytes() + first.read_bytes())
    return path


def with_frames_claimed(content: bytes) -> bytes:
    """An index that lists 30 million frames."""
    at = content.index(b"stsz") + 8
    return content[:at] + struct.pack(">II", 1, 30_000_000) + content[at + 8 :]


C24, C30 = constant_rate(24, 24), constant_rate(30, 30)
HOLE = [*constant_rate(24, 12), *(time_s + 3.5 for time_s in constant_rate(24, 12))]
LATE = [time_s + 0.5 for time_s in C24]
FRONT = {"movflags": "faststart"}
WHOLE = Read(24, 24)

TABLE: dict[str, Recording] = {
    # containers and codecs
    "MP4, H.264": Recording("a.mp4", clip(C24), WHOLE),
    "MP4, index in front": Recording("a.mp4", clip(C24, options=FRONT), WHOLE),
    "MP4 in fragments": Recording("a.mp4", clip(C24, options={"movflags": "frag_keyframe+empty_moov"}), WHOLE),
    "MP4, MPEG-4": Recording("a.mp4", clip(C24, codec="mpeg4"), WHOLE),
    "MP4, H.265": Recording("a.mp4", clip(C24, codec="libx265"), WHOLE),
    "QuickTime": Recording("a.mov", clip(C24), WHOLE),
    "QuickTime, Motion JPEG": Recording("a.mov", clip(C24, codec="mjpeg"), WHOLE),
    "phone, 3GP": Recording("a.3gp", clip(C24, codec="mpeg4"), WHOLE),
    "M4V": Recording("a.m4v", clip(C24), WHOLE),
    "Matroska": Recording("a.mkv", clip(C24), WHOLE),
    "Matroska, VP9": Recording("a.mkv", clip(C24, codec="libvpx-vp9"), WHOLE),
    "WebM, VP8": Recording("a.webm", clip(C24, codec="libvpx"), WHOLE),
    "WebM, VP9": Recording("a.webm", clip(C24, codec="libvpx-vp9"), WHOLE),
    "WebM of a browser": Recording("a.webm", clip(C24, codec="libvpx", options={"live": "1"}), WHOLE),
    "AVI": Recording("a.avi", clip(C24, codec="mpeg4"), WHOLE),
    "MPEG transport stream": Recording("a.ts", clip(C24), WHOLE),
    "Flash video": Recording("a.flv", clip(C24), WHOLE),
    "NUT": Recording("a.nut", clip(C24), WHOLE),
    "Matroska with the name of an MP4": Recording(
        "a.mp4", lambda path: write_clip(path.with_suffix(".mkv"), C24).rename(path), WHOLE
    ),
    # rates and times
    "10 frames a second": Recording("a.mp4", clip(constant_rate(10, 10)), Read(24, 10)),
    "15 frames a second": Recording("a.mp4", clip(constant_rate(15, 15)), Read(24, 15)),
    "23.976 frames a second": Recording("a.mp4", clip(constant_rate(24000 / 1001, 24)), WHOLE),
    "25 frames a second": Recording("a.mp4", clip(constant_rate(25, 25)), Read(24, 25)),
    "29.97 frames a second": Recording("a.mp4", clip(constant_rate(30000 / 1001, 30)), Read(24, 30)),
    "30 frames a second": Recording("a.mp4", clip(C30), Read(24, 30)),
    "60 frames a second": Recording("a.mp4", clip(constant_rate(60, 60)), Read(24, 60)),
    "2 frames a second": Recording("a.mp4", clip(constant_rate(2, 4)), Read(48, 4)),
    "a frame a second": Recording("a.mp4", clip(constant_rate(1, 3)), Read(72, 3)),
    "one frame": Recording("a.mp4", clip([0.0]), Read(1, 1)),
    "variable rate": Recording(
        "a.mp4", clip(variable_rate(24)), Read(round(24 * (variable_rate(24)[-1] + 1 / 24)), 24)
    ),
    "variable rate, WebM": Recording(
        "a.webm", clip(variable_rate(24), codec="libvpx"), Read(round(24 * (variable_rate(24)[-1] + 1 / 24)), 24)
    ),
    "frames of the same time": Recording("a.mkv", clip([0, 0.04, 0.04, 0.08, 0.08, 0.08, 0.12]), Read(3, 7)),
    "the picture begins late": Recording("a.mp4", clip(LATE), WHOLE),
    "cut by an edit list": Recording("a.mp4", partial(trimmed, start_s=1.0), Read(16, 16, first=24)),
    "cut by an edit list between key frames": Recording(
        "a.mp4", partial(trimmed, start_s=1.25), Read(10, 10, first=30)
    ),
    "a hole of three seconds": Recording("a.mp4", clip(HOLE), Read(96, 24, unseen=48)),
    # shown turned
    "turned by 90 degrees": Recording("a.mp4", clip(C24, rotation=90), Read(24, 24, turned=1)),
    "upside down": Recording("a.mp4", clip(C24, rotation=180), Read(24, 24, turned=2)),
    "turned by 270 degrees": Recording("a.mov", clip(C24, rotation=270), Read(24, 24, turned=3)),
    "in a mirror": Recording("a.mp4", changed(clip(C24), seen_in_a_mirror), Read(24, 24, mirrored=True)),
    "turned by 90 degrees in a mirror": Recording(
        "a.mp4", changed(clip(C24), shown_by(0, 1, 1, 0)), Read(24, 24, turned=1, mirrored=True)
    ),
    "turned by 270 degrees in a mirror": Recording(
        "a.mp4", changed(clip(C24), shown_by(0, -1, -1, 0)), Read(24, 24, turned=3, mirrored=True)
    ),
    "on its head in a mirror": Recording(
        "a.mov", changed(clip(C24), shown_by(1, 0, 0, -1)), Read(24, 24, turned=2, mirrored=True)
    ),
    "a matrix of zeros": Recording("a.mp4", changed(clip(C24), shown_by(0, 0, 0, 0)), WHOLE),
    # sound
    "sound from the beginning": Recording("a.mp4", clip(C24, sound_from_s=0.0), Read(24, 24, sound_s=0.0)),
    "sound begins late": Recording("a.mp4", clip(C24, sound_from_s=0.4), Read(24, 24, sound_s=0.4)),
    "sound begins before the picture": Recording("a.mp4", clip(LATE, sound_from_s=0.0), Read(24, 24, sound_s=0.0)),
    "sound, Matroska": Recording("a.mkv", clip(C24, sound_from_s=0.3), Read(24, 24, sound_s=0.3)),
    "sound, WebM": Recording("a.webm", clip(C24, codec="libvpx", sound_from_s=0.25), Read(24, 24, sound_s=0.25)),
    "sound, transport stream": Recording("a.ts", clip(C24, sound_from_s=0.25), Read(24, 24, sound_s=0.25)),
    "sound, turned": Recording("a.mp4", clip(C24, sound_from_s=0.0, rotation=90), Read(24, 24, turned=1, sound_s=0.0)),
    "sound, 30 frames a second": Recording("a.mp4", clip(C30, sound_from_s=0.25), Read(24, 30, sound_s=0.25)),
    "sound of which a part is lost": Recording(
        "a.mkv",
        partial(write_sounding, seconds=1, pieces=[(0.25, tone(0.2)), (0.6, tone(0.2))]),
        Read(24, 24, first=None, sound_s=0.25, note="1 gaps in its sound"),
    ),
    "channels in opposite phase": Recording(
        "a.mkv",
        partial(write_sounding, seconds=1, pieces=[(0.25, tone(0.5))], layout="stereo"),
        Read(24, 24, first=None, sound_s=0.25, note="faint where its channels are mixed"),
    ),
    # names
    "blanks and quotes in the name": Recording("my 'first' \"clip\".mp4", clip(C24), WHOLE),
    "colon and comma in the name": Recording("12:30, visit.mp4", clip(C24), WHOLE),
    "percent in the name": Recording("100%d.mp4", clip(C24), WHOLE),
    "accents in the name": Recording("évènement ü.mp4", clip(C24), WHOLE),
    # damaged, but of use
    "a title in another encoding": Recording("a.mp4", changed(clip(C24), replaced(b"Lavf", b"\xe9t\xe9s")), WHOLE),
    "rubbish after the end": Recording("a.mkv", changed(clip(C24), lambda content: content + b"\0" * 5000), WHOLE),
    "a packet of rubbish": Recording(
        "a.mkv", changed(clip(C24, codec="mjpeg"), lambda content: damaged(content, 0.5, 40)), Read(24, 24, lost=2)
    ),
    # cut short: read, and set aside by ingest
    "cut short, index in front": Recording(
        "a.mp4",
        changed(clip(constant_rate(24, 60), options=FRONT), lambda content: content[: len(content) * 6 // 10]),
        Read(0, 0, lost=60, truncated="the file's index lists 60 video frames"),
    ),
    "cut short, WebM": Recording(
        "a.webm",
        changed(clip(constant_rate(24, 60), codec="libvpx-vp9"), lambda content: content[: len(content) * 3 // 10]),
        Read(0, 0, lost=60, truncated="the file says it lasts 2.5 s"),
    ),
    # of no use
    "no file": Recording("a.mp4", lambda path: path, SetAside("does not exist")),
    "empty": Recording("a.mp4", of_bytes(b""), SetAside("cannot be opened")),
    "zeros": Recording("a.mp4", of_bytes(bytes(10_000)), SetAside("cannot be opened")),
    "text": Recording("a.mp4", of_bytes(b"not a video\n" * 100), SetAside("cannot be opened")),
    "a page of an error": Recording("a.mp4", of_bytes(b"<html><body>404</body></html>"), SetAside("cannot be opened")),
    "a pointer of Git LFS": Recording(
        "a.mp4", of_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), SetAside("cannot be opened")
    ),
    "a list of videos": Recording(
        "a.mp4", of_bytes(b"ffconcat version 1.0\nfile b.mp4\n"), SetAside("cannot be opened")
    ),
    "an archive": Recording("a.mp4", of_bytes(b"PK\3\4" + bytes(200)), SetAside("cannot be opened")),
    "a photo": Recording("a.mp4", a_picture, SetAside("cannot be opened")),
    "cut short before its index": Recording(
        "a.mp4", changed(clip(C24), lambda content: content[: len(content) // 2]), SetAside("cannot be opened")
    ),
    "the head of a WebM": Recording(
        "a.webm", changed(clip(C24, codec="libvpx"), lambda content: content[:100]), SetAside("cannot be opened")
    ),
    "sound alone": Recording("a.m4a", sound_alone, SetAside("no video stream")),
    "30 million frames in its index": Recording(
        "a.mp4", changed(clip(C24, codec="mpeg4"), with_frames_claimed), SetAside("lists more frames than the file")
    ),
    "a frame after three years": Recording(
        "a.mkv", partial(write_packets_at, times_s=(0.0, 1e8)), SetAside("its last frame ends")
    ),
    "a jump of an hour": Recording(
        "a.mkv", partial(write_packets_at, times_s=(0.0, 3600.0)), SetAside("it shows 2 frames")
    ),
    "a frame a minute": Recording(
        "a.mkv",
        partial(write_packets_at, times_s=[60.0 * number for number in range(20)]),
        SetAside("it shows 20 frames"),
    ),
    "times run backwards": Recording("a.ts", started_anew, SetAside("time stamps jump")),
}
"""Name -> recording and what it must give."""
