"""Frames per CPU-second and peak memory of the video decoders on one file, each in a process of its own.

Usage: python bench/decode.py VIDEO [MILLISECONDS]

With MILLISECONDS the reader rests so long after each frame, as one that looks for faces does; decord
then decodes ahead and holds what it has, unless it is read in windows, as Waver does.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

DECODERS = ("decord", "pyav", "opencv", "waver by decord", "waver")


def frames_of(name: str, path: Path) -> Iterator[object]:
    """RGB pictures of the file, in order, by one decoder on one thread."""
    if name == "decord":
        import decord
        import numpy as np

        reader = decord.VideoReader(str(path), num_threads=1)
        for start in range(0, len(reader), 16):
            yield from reader.get_batch(np.arange(start, min(start + 16, len(reader)))).asnumpy()
    elif name == "pyav":
        import av

        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    elif name == "opencv":
        import cv2

        cv2.setNumThreads(1)
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    else:
        from waver.features.clock import frame_clock
        from waver.features.video import Decoding, decode_frames

        clock = frame_clock(path)
        decoder = "decord" if name == "waver by decord" else "auto"
        yield from decode_frames(path, clock.probe, clock.needed, Decoding(), decoder)


def measure(name: str, path: Path, rest_s: float) -> None:
    """Walk the file once and print one JSON line."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, wall = time.process_time(), time.perf_counter()
    count = 0
    for _ in frames_of(name, path):
        count += 1
        time.sleep(rest_s)
    spent, wall = time.process_time() - started, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    record = {
        "decoder": name,
        "frames": count,
        "frames_per_cpu_s": round(count / spent, 1),
        "wall_s": round(wall, 2),
        "added_peak_mb": round((peak - before) / 1024),
    }
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    video, rest_ms = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    for decoder in DECODERS:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(decoder, video, rest_ms / 1000))
        process.start()
        process.join(300)
        process.terminate()
