"""How many times as fast as the recording is heard its sound, words and cues are made, against its length and cores.

Usage: PYTHONPATH=src:bench python bench/speed.py CLIP [--seconds 15 60 240] [--threads 1 2] [--vggish [WEIGHTS.pth]]

CLIP is played again and again until a length is reached, with 2.5 words a second as its transcript. Each job is that of
its rule on one recording: it reads, decodes, computes and writes. CPU seconds of each length, of this process and its
workers, are fitted as a start and a rate per frame; a rate is per core, so that on n cores, with a job on each, n
times as many frames are made. With --vggish the sound's feature is VGGish's, of random weights where none are given.
Recognition of speech is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from memory import lengthen
from waver.assets.manifest import Installed, install
from waver.config.sections import AudioConfig, SpeechConfig, WordsConfig
from waver.features.audio.extract import extract_audio
from waver.features.audio.vggish import VGGish
from waver.features.cues.extract import extract_cues
from waver.features.speech import recognise_speech
from waver.features.words import embed_words
from waver.io.tables import FEATURE_INDEX, TRANSCRIPTS, VIDEOS, read_table, write_table
from waver.provenance import file_sha256
from waver.shapes import FPS

WORDS_S = 2.5
SAID = "well I think that I want to change it but maybe not today because um it is hard and I am not so sure".split()


def cpu_s() -> float:
    """CPU time of this process, and of the workers that it has ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def tables(folder: Path, video: Path, seconds: float) -> None:
    """The tables of ingest about one recording."""
    row = dict.fromkeys(VIDEOS.names) | {
        "video": "a", "participant": "a", "split": "test", "path": video.name, "checksum": str(seconds),
        "source_frames": round(seconds * FPS), "source_fps": 24.0, "duration_s": seconds, "has_audio": True,
        "language": "en",
    }  # fmt: skip
    write_table(folder / "videos.parquet", [row], VIDEOS)
    chunks = []
    for number, start in enumerate(np.arange(0, seconds, 10.0)):
        end = min(start + 10.0, seconds)
        words = [SAID[n % len(SAID)] for n in range(round((end - start) * WORDS_S))]
        known = {"video": "a", "chunk": number, "start_s": float(start), "end_s": float(end), "text": " ".join(words)}
        chunks.append(dict.fromkeys(TRANSCRIPTS.names) | known)
    write_table(folder / "transcripts.parquet", chunks, TRANSCRIPTS)


def jobs(folder: Path, root: Path, encoder: Path, vggish: Path | None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Name of each rule, and its job."""

    def of(feature: str) -> tuple[Path, Path]:
        return folder / feature / "stores", folder / feature / "000.parquet"

    videos, (spoken, speech), (heard, audio) = folder / "videos.parquet", of("speech"), of("audio")
    sound = AudioConfig(feature="vggish") if vggish else AudioConfig()
    given = SpeechConfig(source="given")
    yield "audio", lambda: extract_audio(videos, root, vggish, heard, audio, sound, "bench")
    yield "speech", lambda: recognise_speech(
        videos, folder / "transcripts.parquet", root, None, [], spoken, speech, given, "bench"
    )
    yield "words", lambda: embed_words(speech, spoken, videos, encoder, *of("words"), WordsConfig(), "bench")
    yield "cues", lambda: extract_cues(speech, spoken, audio, heard, videos, None, *of("cues"), "bench")


def random_vggish(folder: Path, weights: Path | None) -> Path:
    """Record of VGGish, of random weights where none are given."""
    folder.mkdir(parents=True)
    file = folder / "vggish.pth"
    torch.save(torch.load(weights, weights_only=True) if weights else VGGish().state_dict(), file)
    record = Installed(
        name="vggish", role="vggish", set="path", title="", licence="", folder=str(folder),
        files={file.name: file_sha256(file)},
    )  # fmt: skip
    (folder / "asset.json").write_text(record.model_dump_json())
    return folder / "asset.json"


def measure(clip: Path, seconds: list[float], threads: int, place: Path, models: tuple[Path, Path | None]) -> None:
    """Print a line for each job on so many threads."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    spent: dict[str, list[tuple[float, float]]] = {}
    # the first recording warms up: libraries are loaded once
    for number, length in enumerate([seconds[0], *seconds]):
        root, folder = place / f"{length:g}", place / f"{threads}-{number}"
        root.mkdir(exist_ok=True)
        folder.mkdir()
        video = root / f"long{clip.suffix}"
        if not video.exists():
            lengthen(clip, video, length, 0, float("inf"))
        tables(folder, video, length)
        for name, job in jobs(folder, root, *models):
            cpu, wall = cpu_s(), time.perf_counter()
            job()
            if number:
                spent.setdefault(name, []).append((cpu_s() - cpu, time.perf_counter() - wall))
            (row,) = read_table(folder / name / "000.parquet", FEATURE_INDEX)
            if row["status"] != "ok":
                raise SystemExit(f"{name}: {row['note']}")
    frames = np.array(seconds) * FPS
    total = np.zeros(len(seconds))
    for name, values in spent.items():
        cpu, wall = np.array(values).T
        total += cpu
        show(name, threads, frames, cpu, wall)
    show("together", threads, frames, total, None)


def show(name: str, threads: int, frames: np.ndarray, cpu: np.ndarray, wall: np.ndarray | None) -> None:
    """One line: frames per CPU-second of each length, the fit, and how many times real time its rate is."""
    rate, start = np.polyfit(frames, cpu, 1)
    each = " ".join(f"{one:9.0f}" for one in frames / cpu)
    ends = "" if wall is None else f"; longest {frames[-1] / FPS / wall[-1]:.0f} times by the clock on the wall"
    print(f"{name:9} {threads:7} {each}   {start:6.2f} s + {1e3 * rate:6.3f} ms   {1 / rate / FPS:7.0f}{ends}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", nargs="+", type=float, default=[15, 60, 240])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--vggish", nargs="?", type=Path, const=Path())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        install("minilm", place / "encoder", {})
        vggish = None
        if given.vggish is not None:
            vggish = random_vggish(place / "vggish", given.vggish if given.vggish.is_file() else None)
        lengths = " ".join(f"{one:7g} s" for one in given.seconds)
        print(f"frames per CPU-second\njob       threads {lengths}   fit: start + a frame      times real time of a core")
        for number in given.threads:
            measure(given.clip, given.seconds, number, place, (place / "encoder/asset.json", vggish))


if __name__ == "__main__":
    sys.exit(main())
