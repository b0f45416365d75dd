"""Frames per second of the jobs of features against the recording's length and the number of cores.

Usage: PYTHONPATH=src python bench/features.py CLIP [--parts words answers ...] [--seconds 30 60 120] [--cores 1 2]
           [--backbone resnet18] [--precision fp32]

Each part is the job of its rule, from its inputs to the store, on recordings of several lengths; CLIP is a recording
that is played again and again for faces and sound. Its aligned faces, the words (2.5 a second) and the answers are made
up. Weights are random in the published sizes and formats (BERT base, VGGish, the backbone), but those that come with
the packages: the face detector, and MiniLM, which encodes the sentences of answers.

Seconds are of CPU, so that other work on the machine changes little, and a line is fitted to them: a start (the model
is read, say) and a cost by frame. On n cores n jobs of one thread run at once, as on shards; what they take from each
other is in their CPU time. Frames per second are the sum over the jobs, and 24 of them are a second of the recording.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from faces import cpu_s
from memory import lengthen

from waver.assets.manifest import install
from waver.config.sections import AudioConfig, FacesConfig, VisualConfig, WordsConfig
from waver.features.answer_encodings import encode_shard
from waver.features.audio.extract import extract_audio
from waver.features.faces.extract import extract_faces
from waver.features.visual import extract_visual
from waver.features.words import embed_words
from waver.io.tables import ANSWERS, FEATURE_INDEX, VIDEOS, read_table, write_table
from waver.io.zarr_store import new_store
from waver.models.text.pretrained_encoder import load_tokenizer
from waver.records import load, method_config
from waver.registry import BACKBONES
from waver.shapes import FPS

PARTS = ("faces", "visual", "audio", "vggish", "words", "answers")
WORDS_PER_S = 2.5
SAID = ("I", "really", "want", "to", "stop", "but", "then", "my", "friends", "come", "and", "so", "I", "never", "do.")


def bert(folder: Path) -> Path:
    """BERT base with random weights, and the tokenizer of the same vocabulary that MiniLM brings."""
    from transformers import BertConfig, BertModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    minilm = install("minilm", folder.with_name("minilm"), {})
    load_tokenizer(Path(minilm.folder)).save_pretrained(folder)
    BertModel(BertConfig()).save_pretrained(folder)
    return folder


def backbone(name: str, folder: Path) -> Path:
    """A file of a backbone's random weights."""
    torch.save(load(BACKBONES, name)(method_config(BACKBONES, name, {})).state_dict(), folder)
    return folder


def vggish(path: Path) -> Path:
    """A file of VGGish's random weights."""
    from waver.features.audio.vggish import VGGish

    torch.save(VGGish().state_dict(), path)
    return path


class Jobs:
    """The job of each part, on a recording of so many seconds, in a folder of its own.

    Args:
        folder: where all is written.
        given: the command line.
    """

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given = folder, given
        self.model = cache(self._model)
        self.recording = cache(self._recording)

    def _model(self, role: str, make: Callable[[Path], Path]) -> Path:
        """Record of random weights given by path."""
        install(f"path.{role}", self.folder / role, {role: str(make(self.folder / f"{role}_weights"))})
        return self.folder / role / "asset.json"

    def _packaged(self, name: str) -> Path:
        install(name, self.folder / name, {})
        return self.folder / name / "asset.json"

    def _recording(self, seconds: float) -> Path:
        return lengthen(self.given.clip, self.folder / f"{seconds:g}{self.given.clip.suffix}", seconds, 24, np.inf)

    def _videos(self, seconds: float, recorded: bool) -> Path:
        path = self.recording(seconds) if recorded else Path("none.mp4")
        row = dict.fromkeys(VIDEOS.names) | {
            "video": "1_Q1", "participant": "1", "split": "test", "path": path.name, "checksum": f"{seconds}",
            "source_frames": round(seconds * FPS), "source_fps": FPS, "duration_s": seconds, "has_audio": True,
        }  # fmt: skip
        write_table(self.folder / "videos.parquet", [row], VIDEOS)
        return self.folder / "videos.parquet"

    def _index(self, name: str, frames: int) -> Path:
        row = dict.fromkeys(FEATURE_INDEX.names) | {
            "video": "1_Q1", "participant": "1", "status": "ok", "frames": frames, "key": f"{frames}", "note": "",
        }  # fmt: skip
        write_table(self.folder / f"{name}.parquet", [row], FEATURE_INDEX)
        return self.folder / f"{name}.parquet"

    def prepare(self, part: str, seconds: float) -> Callable[[], None]:
        """Make the inputs; the job."""
        return getattr(self, f"_{part}")(seconds, self.folder / f"{part}_{seconds:g}", self.folder / "out.parquet")

    def _faces(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        videos, model = self._videos(seconds, recorded=True), self._packaged("retinaface_mobilenet")
        return lambda: extract_faces(videos, self.folder, model, stores, index, FacesConfig(), "bench")

    def _visual(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        frames, faces = round(seconds * FPS), self.folder / f"made_{seconds:g}"
        draw = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), np.uint8)
        pictures = draw.repeat(16, 1).repeat(16, 2)
        with new_store(faces / "1/1_Q1.zarr", f"{frames}") as writer:
            image = writer.images("image", frames, 256, 95)
            for first in range(0, frames, 480):
                rows = np.arange(first, min(first + 480, frames)) % len(pictures)
                image[first : first + len(rows)] = pictures[rows]
            writer.put("valid", np.ones(frames, bool))
        config = VisualConfig(backbone=self.given.backbone, precision=self.given.precision)
        made = self._index("faces", frames)
        model = self.model("expression_backbone", lambda path: backbone(self.given.backbone, path))
        return lambda: extract_visual(made, faces, model, stores, index, config, "bench")

    def _audio(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        videos = self._videos(seconds, recorded=True)
        return lambda: extract_audio(videos, self.folder, None, stores, index, AudioConfig(), "bench")

    def _vggish(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        videos, model = self._videos(seconds, recorded=True), self.model("vggish", vggish)
        config = AudioConfig(feature="vggish", precision=self.given.precision)
        return lambda: extract_audio(videos, self.folder, model, stores, index, config, "bench")

    def _words(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        start_s = np.arange(0, seconds, 1 / WORDS_PER_S, np.float32)
        speech = self.folder / f"speech_{seconds:g}"
        with new_store(speech / "1/1_Q1.zarr", f"{seconds}") as writer:
            writer.put("start_s", start_s)
            writer.put("end_s", start_s + np.float32(0.3))
            writer.attributes.update(words=[SAID[i % len(SAID)] for i in range(len(start_s))], language="en")
        videos, said = self._videos(seconds, recorded=False), self._index("speech", round(seconds * FPS))
        config, model = WordsConfig(precision=self.given.precision), self.model("word_encoder", bert)
        return lambda: embed_words(said, speech, videos, model, stores, index, config, "bench")

    def _answers(self, seconds: float, stores: Path, index: Path) -> Callable[[], None]:
        text = " ".join(SAID[i % len(SAID)] + f" {i}" * (i % 7 == 0) for i in range(round(seconds * WORDS_PER_S)))
        row = dict.fromkeys(ANSWERS.names) | {
            "video": "1_Q1", "participant": "1", "split": "test", "text": text, "words": len(text.split()),
        }  # fmt: skip
        answers, config = self.folder / f"answers_{seconds:g}.parquet", WordsConfig(precision=self.given.precision)
        write_table(answers, [row], ANSWERS)
        words, sentences = self.model("word_encoder", bert), self._packaged("minilm_sentences")
        return lambda: encode_shard(answers, words, sentences, stores, index, config, "bench")


def measure(given: argparse.Namespace) -> None:
    """Print the CPU seconds of each length, after a short one that warms up."""
    torch.set_num_threads(1)
    spent = []
    with TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder), given)
        for seconds in [min(given.seconds) / 2, *given.seconds]:
            job = jobs.prepare(given.parts[0], seconds)
            begun = cpu_s()
            job()
            spent.append(cpu_s() - begun)
            row = read_table(jobs.folder / "out.parquet", FEATURE_INDEX)[0]
            if row["status"] != "ok":
                raise SystemExit(f"{row['reason']}; {row['remedy']}")
    print(f"SPENT {json.dumps(spent[1:])}")


def beside(arguments: list[str], jobs: int) -> np.ndarray:
    """CPU seconds of several jobs at once, [jobs, lengths]."""
    command = [sys.executable, __file__, *arguments, "--job"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(jobs)]
    said = [process.communicate()[0] for process in started]
    lines = [[line for line in one.splitlines() if line.startswith("SPENT ")] for one in said]
    if not all(lines):
        raise SystemExit("\n".join(said))
    return np.array([json.loads(found[0].removeprefix("SPENT ")) for found in lines])


def main() -> None:
    """Print the table, a row a part and number of cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--seconds", nargs="+", type=float, default=[30, 60, 120])
    parser.add_argument("--cores", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        measure(given)
        return
    frames = np.array(given.seconds) * FPS
    print("part      cores   start s   frames/s   times real time   off the line")
    same = [str(given.clip), "--backbone", given.backbone, "--precision", given.precision]
    same += ["--seconds", *map(str, given.seconds)]
    for part in given.parts:
        for cores in given.cores:
            spent = beside([*same, "--parts", part], cores)
            cost, start = np.polyfit(frames, spent.T, 1)
            off = np.abs(spent.T - (np.outer(frames, cost) + start)).max() / spent.max()
            speed = float((1 / cost).sum())
            row = f"{part:9} {cores:5} {start.mean():9.2f} {speed:10.0f} {speed / FPS:17.1f} {off:14.1%}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
