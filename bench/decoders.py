"""PyAV against decord: differences of the pictures, and time, on the same recordings in one run.

Usage: python bench/decoders.py VIDEO [VIDEO ...]

Both decode the frames that the 24 fps clock shows; the decoders take turns, and the least of ROUNDS counts.
Recordings that decord is not used for (no frame index, an edit list) are left out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from waver.errors import ExcludedItem
from waver.features.clock import frame_clock
from waver.features.video import Decoding, decode_frames

ROUNDS = 3


def measure(path: Path) -> tuple[int, int, float, float] | None:
    """Frames, greatest difference of a pixel, and seconds of PyAV and of decord; None where decord is not used."""
    clock = frame_clock(path)
    least_s = {"pyav": np.inf, "decord": np.inf}
    pictures = {}
    for _ in range(ROUNDS):
        for decoder in least_s:
            decoding, started = Decoding(), time.perf_counter()
            pictures[decoder] = dict(decode_frames(path, clock.probe, clock.needed, decoding, decoder))
            least_s[decoder] = min(least_s[decoder], time.perf_counter() - started)
    if decoding.decoder != "decord":
        return None
    one, other = pictures["pyav"], pictures["decord"]
    assert one.keys() == other.keys()
    differences = [int(np.abs(one[n].astype(np.int16) - other[n].astype(np.int16)).max()) for n in one]
    return len(one), max(differences), least_s["pyav"], least_s["decord"]


if __name__ == "__main__":
    found = []
    for argument in sys.argv[1:]:
        try:
            result = measure(Path(argument))
        except ExcludedItem as problem:
            print(f"left out: {problem.reason}")
            continue
        found += [result] if result else []
    frames, differences, pyav_s, decord_s = (np.array(column) for column in zip(*found, strict=True))
    print(f"{len(found)} recordings, {frames.sum()} frames; greatest difference of a pixel: {differences.max()} of 255")
    print(f"time of PyAV / time of decord: {pyav_s.sum() / decord_s.sum():.2f} (each {pyav_s / decord_s})")
