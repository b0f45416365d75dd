"""Stores as one file beside the same arrays as folders: random windows, whole arrays, opening, writing.

Usage: PYTHONPATH=src python bench/stores.py STORES [VIDEOS] [WINDOW]

STORES is a folder with face stores (``resources/demo/features/faces/stores`` after ``make demo``). Their arrays, and
random features of 512 values, are written in both forms. Windows are drawn once and read from both in turns; times
are CPU time of the process, the least of several rounds, caches warm. Windows are compared first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from waver.io.jpeg_codec import JpegCodec, register
from waver.io.zarr_store import SHARD_ROWS, new_store, open_store, read_store, store_attributes

ROUNDS, WINDOWS = 7, 10
Arrays = dict[str, np.ndarray]


def write_folder(path: Path, arrays: Arrays) -> None:
    """A store as a folder of files, chunked as a store is."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    for name, values in arrays.items():
        jpeg = values.ndim == 4
        rows = 1 if jpeg else max(1, min(len(values), (1 << 18) // max(values[:1].nbytes, 1)))
        shard = min(SHARD_ROWS, len(values)) if jpeg else rows * -(-len(values) // rows)
        codecs: dict[str, Any] = {"serializer": JpegCodec(), "compressors": None} if jpeg else {
            "compressors": ZstdCodec(level=3)
        }  # fmt: skip
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=(rows, *values.shape[1:]),
            shards=(shard, *values.shape[1:]), filters=None, **codecs,
        )  # fmt: skip
        array[:] = values
    group.attrs.put({"key": "k"})


def write_file(path: Path, arrays: Arrays) -> None:
    """A store."""
    with new_store(path, "k") as writer:
        for name, values in arrays.items():
            if values.ndim == 4:
                writer.images(name, len(values), values.shape[1], 95)[:] = values
            else:
                writer.put(name, values)


def least(*calls: Callable[[], Any]) -> list[float]:
    """Least seconds of each call, over rounds in turns."""
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for times, call in zip(spent, calls, strict=True):
            started = time.process_time()
            call()
            times.append(time.process_time() - started)
    return [min(times) for times in spent]


def report(what: str, folders: float, files: float, count: int) -> None:
    """One line of the table."""
    print(f"{what:32} {1000 * folders / count:8.2f} ms {1000 * files / count:8.2f} ms   x{files / folders:.2f}")


def main() -> None:
    """Print milliseconds a window, a store, ... of folders and files."""
    place, *numbers = sys.argv[1:]
    videos, window = (int(number) for number in [*numbers, *(6, 96)[len(numbers) :]])
    register()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        base, lengths = Path(name), []
        pairs: list[tuple[Path, Path]] = []
        for number, store in enumerate(islice(sorted(Path(place).glob("*/*.zarr")), videos)):
            arrays = read_store(store)
            arrays["feature"] = draw.standard_normal((len(arrays["valid"]), 512)).astype(np.float32)
            folder, file = base / f"{number}.folder", base / f"{number}.zarr"
            once = least_once(lambda f=folder, a=arrays: write_folder(f, a), lambda f=file, a=arrays: write_file(f, a))
            report("write a video of faces", *once, 1)
            pairs.append((folder, file))
            lengths.append(len(arrays["valid"]))
        compare(pairs, lengths, window, draw)


def least_once(*calls: Callable[[], Any]) -> list[float]:
    """Seconds of each call."""
    spent = []
    for call in calls:
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return spent


def compare(pairs: Sequence[tuple[Path, Path]], lengths: Sequence[int], window: int, draw: Any) -> None:
    """Equal first, then timed."""
    folders = [zarr.open_group(folder, mode="r", zarr_format=3) for folder, _ in pairs]
    files = [open_store(file) for _, file in pairs]
    starts = [(n, int(draw.integers(max(1, lengths[n] - window)))) for n in draw.integers(len(pairs), size=WINDOWS)]

    def windows(groups: Sequence[Any], name: str) -> list[np.ndarray]:
        return [np.asarray(groups[n][name][start : start + window]) for n, start in starts]

    def threaded(groups: Sequence[Any]) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda at: np.asarray(groups[at[0]]["image"][at[1] : at[1] + window]), starts))

    def frames(groups: Sequence[Any]) -> None:
        for n, start in starts:
            groups[n]["image"][start]

    for array in ("image", "feature"):
        assert all(map(np.array_equal, windows(folders, array), windows(files, array))), array
        spent = least(partial(windows, folders, array), partial(windows, files, array))
        report(f"random window of {array}", *spent, WINDOWS)
    report("random window, two threads", *least(lambda: threaded(folders), lambda: threaded(files)), WINDOWS)
    report("random frame of image", *least(lambda: frames(folders), lambda: frames(files)), WINDOWS)
    whole = [lambda g=groups: [np.asarray(one["feature"][:]) for one in g] for groups in (folders, files)]
    report("all of feature", *least(*whole), len(pairs))
    opened = (
        lambda: [zarr.open_group(folder, mode="r", zarr_format=3)["valid"] for folder, _ in pairs],
        lambda: [open_store(file)["valid"] for _, file in pairs],
    )
    report("open", *least(*opened), len(pairs))
    keys = (
        lambda: [(folder / "zarr.json").read_text() for folder, _ in pairs],
        lambda: [store_attributes(file) for _, file in pairs],
    )
    report("read the key", *least(*keys), len(pairs))


if __name__ == "__main__":
    main()
