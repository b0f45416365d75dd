"""Peak memory of each stage of ``waver predict`` against the length of the recording.

Usage: PYTHONPATH=src python bench/memory.py CLIP RUN [--minutes 5 20 60] [--fps 2] [--spoken 1] [--networks] [...]

CLIP is played again and again until the length is reached; its picture is written anew at ``--fps`` frames a second
(0: its packets are copied as they are). With ``--spoken`` it is heard in the first minutes and at the end alone, and
there is silence between them. RUN is a run (``results/demo`` after ``make demo``) whose model predicts; further options
are those of ``waver predict``.

The face detector, the visual backbone and Whisper's decoder take most of the time and see a picture, a batch or 30 s,
whatever the length. Unless ``--networks`` is given, the first two give for all pictures what they give for the first,
and the decoder gives two made-up words a second; all else is what users run.

Each length is one process. The peak of a stage is that of the process and of its worker together (VmHWM of /proc, set
back before each stage), and holds what earlier stages left. It is told as soon as the stage ends, and as a table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def lengthen(clip: Path, target: Path, seconds: float, fps: float, spoken_s: float) -> Path:
    """A recording of a clip's pictures and sound, over and over; heard for a while, and at the end."""
    source = thinned(clip, target.with_name(f"thin{clip.suffix}"), fps) if fps else clip
    with av.open(str(target), "w") as out:
        with av.open(str(source)) as container:
            copies = {s.index: out.add_stream_from_template(s) for s in container.streams}
            length_s = float(_length_s(container))
        turns = max(1, round(seconds / length_s))
        for turn in range(turns):
            heard = turn * length_s < spoken_s or turn == turns - 1
            with av.open(str(source)) as container:
                for packet in container.demux():
                    if packet.dts is None or (packet.stream.type == "audio" and not heard):
                        continue
                    shift = round(turn * length_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copies[packet.stream.index]
                    out.mux(packet)
    return target


def _length_s(container: Any) -> Fraction:
    """From the first time of a packet to the last one: with it between two turns, no stream's times go back."""
    times = [
        time * packet.time_base
        for packet in container.demux()
        if packet.dts is not None
        for time in (packet.dts, (packet.pts or packet.dts) + (packet.duration or 0))
    ]
    return Fraction(max(times) - min(times))


def thinned(clip: Path, target: Path, fps: float) -> Path:
    """The clip at fewer frames a second, its sound as it was."""
    with av.open(str(clip)) as container, av.open(str(target), "w") as out:
        picture, *sounds = container.streams.video[0], *container.streams.audio[:1]
        rate = Fraction(fps).limit_denominator(1000)
        video = out.add_stream("libx264", rate=rate, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = picture.width, picture.height, "yuv420p"
        copies = {sound.index: out.add_stream_from_template(sound) for sound in sounds}
        shown = 0
        for packet in container.demux([picture, *sounds]):
            if packet.stream.index in copies and packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
            elif packet.stream.index == picture.index:
                for frame in packet.decode():
                    if frame.time is not None and frame.time * fps >= shown:
                        frame.pts, frame.time_base, frame.pict_type = shown, 1 / rate, 0
                        shown += 1
                        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return target


def processes() -> list[Path]:
    """This process and its children, in /proc."""
    own = Path("/proc/self/task")
    children = {child for task in own.iterdir() for child in (task / "children").read_text().split()}
    return [Path("/proc/self"), *(Path("/proc") / child for child in children)]


def peak_mb() -> float:
    """Greatest memory of the processes since it was set back, which it is now."""
    total_kb = 0
    for process in processes():
        try:
            status = (process / "status").read_text()
            (process / "clear_refs").write_text("5")
        except OSError:  # a worker that has just ended
            continue
        total_kb += int(status.partition("VmHWM:")[2].split()[0])
    return total_kb / 1024


def leave_networks_out() -> None:
    """Stand-ins for the networks that take most of the time."""
    import torch
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment, Word

    from waver.features.faces.near import NearFaces
    from waver.features.visual import FrozenBackbone

    backbone, detect, first = FrozenBackbone.__call__, NearFaces.detect, dict[str, Any]()

    def embed(network: FrozenBackbone, faces: Any) -> Any:
        known = first["visual"] = first.get("visual") or backbone(network, faces[:1])
        return tuple(None if one is None else torch.repeat_interleave(one, len(faces), 0) for one in known)

    def find(near: NearFaces, pictures: list[Any]) -> list[Any]:
        known = first["faces"] = first.get("faces") or detect(near, pictures[:1])
        return known * len(pictures)

    def segments(_: Any, features: Any, *__: Any) -> Iterator[Segment]:
        for number, start in enumerate(range(0, features.shape[-1] // 100, 30)):
            end = min(start + 30, features.shape[-1] / 100)
            words = [Word(at, at + 0.4, f" word{at:g}", 0.9) for at in np.arange(start, end - 0.4, 0.5).tolist()]
            yield Segment(number, 100 * start, start, end, "", [], -0.2, 1.0, 0.0, words, 0.0)

    FrozenBackbone.__call__, NearFaces.detect, WhisperModel.generate_segments = embed, find, segments


def watch(arguments: list[str], networks: bool) -> None:
    """Predict, and print the peak of each stage."""
    from waver.predict import batch, run

    if not networks:
        leave_networks_out()
    stages: dict[str, tuple[float, float]] = {}
    now: list[Any] = ["reading", time.monotonic()]

    def turn_to(stage: str) -> None:
        stages[now[0]] = peak_mb(), time.monotonic() - now[1]
        print("{}: {:.0f} MB, {:.0f} s".format(now[0], *stages[now[0]]), file=sys.stderr, flush=True)
        now[:] = stage, time.monotonic()

    class Watching(batch.Progress):
        def doing(self, recording: str, what: str) -> None:
            turn_to(what)
            super().doing(recording, what)

    batch.Progress = Watching  # type: ignore[misc]
    code = run.main(arguments)
    turn_to("")
    print("STAGES " + json.dumps({"code": code, "stages": stages}), flush=True)


def measure(given: argparse.Namespace, minutes: float, options: list[str]) -> dict[str, tuple[float, float]]:
    """Stage -> peak in MB and seconds, of a recording of some minutes."""
    clip = given.clip
    with tempfile.TemporaryDirectory() as folder:
        video = lengthen(clip, Path(folder) / f"long{clip.suffix}", 60 * minutes, given.fps, 60 * given.spoken)
        mode = "--watch-networks" if given.networks else "--watch"
        command = [sys.executable, __file__, mode, str(video), "--model", str(given.run), "--out", f"{folder}/out"]
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
        line = next((one for one in done.stdout.splitlines() if one.startswith("STAGES ")), None)
        if line is None:
            raise SystemExit(f"{minutes} min: no result (exit status {done.returncode})\n{done.stdout}")
        found: dict[str, tuple[float, float]] = json.loads(line.removeprefix("STAGES "))["stages"]
        return found


def main() -> None:
    """Print the table, a column a length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", nargs="+", type=float, default=[5, 20, 60])
    parser.add_argument("--fps", type=float, default=2)
    parser.add_argument("--spoken", type=float, default=float("inf"))
    parser.add_argument("--networks", action="store_true")
    given, options = parser.parse_known_args()
    found = {one: measure(given, one, options) for one in given.minutes}
    print(f"{'MB (s)':<12}" + "".join(f"{one:>16g} min" for one in found))
    for stage in next(iter(found.values())):
        cells = (f"{one[stage][0]:.0f} ({one[stage][1]:.0f})" if stage in one else "-" for one in found.values())
        print(f"{stage:<12}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    if sys.argv[1:2] in (["--watch"], ["--watch-networks"]):
        watch(sys.argv[2:], networks=sys.argv[1] == "--watch-networks")
    else:
        main()
