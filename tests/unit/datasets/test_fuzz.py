"""Readers against thousands of hostile texts: nothing but the errors of a reader, and a second for 100 KB.

A few seconds of it run with all tests; ``-m fuzz`` runs ten minutes of CPU (WAVER_FUZZ_S: other seconds).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bah_tree import put
from fuzzing import CSV_PARTS, OTHER, VIDEO, YAML_PARTS, sound_annotation, texts

from waver.datasets.bah.annotation import read_annotation
from waver.datasets.bah.frame_labels import FrameSources, frame_truth
from waver.datasets.bah.metadata import read_metadata
from waver.datasets.bah.release_yaml import read_yaml
from waver.datasets.bah.segments import runs, segment_rows
from waver.datasets.bah.splits import read_classes, read_frame_split, read_segment_table, read_split
from waver.datasets.folder.annotations import read_segments, read_transcripts
from waver.datasets.folder.listing import Recording, read_listing
from waver.datasets.folder.question_table import read_questions
from waver.datasets.transcripts import main_language, read_transcript
from waver.errors import ExcludedItem, WaverError

LONGEST = 100_000
MOST_S = 3.0
"""Per 100 KB: a second, on a machine that does other work as well."""
ANNA = Recording("a", "anna", "a.mp4", "train", 1, None, "en", "videos.csv, line 2")


def annotation(file: Path) -> None:
    for one in read_annotation(file):
        labels = frame_truth("", one, FrameSources(), 24, lambda: np.arange(24) / 24)
        if labels is not None:
            segment_rows("v", runs(labels), one)
        if one.problem is None and one.transcript is not None:
            transcript(one.transcript)


def transcript(record: object) -> None:
    try:
        main_language(read_transcript(record, 5.0))
    except TypeError:  # the reader of the release goes on without
        return


SPLIT = f"{VIDEO},1,Well, yes.\n{OTHER},0,No.\n"
SEGMENTS = f"video,segment_id,label,num_frames,start_frame,end_frame\n{VIDEO},0,1,10,0,9\n{OTHER},1,0,5,10,14\n"
YAML: dict[str, tuple[str, Callable[[Path], object]]] = {
    "annotation": (sound_annotation(), annotation),
    "metadata": (
        "'82567':\n  Age: 51\n  Use in publications: Yes\n'82568':\n  Age range: 45 - 54 years\n",
        read_metadata,
    ),
    "transcript": (
        "chunks:\n- language: french\n  text: Oui\n  timestamp: !!python/tuple [0.0, null]\ntext: ''\n",
        lambda file: transcript(read_yaml(file)),
    ),
    "classes": ("With A-H: 1\nNo A-H: 0\n", read_classes),
}
CSV: dict[str, tuple[str, Callable[[Path], object]]] = {
    "split": (SPLIT, lambda file: read_split(file, "train", {"0": 0, "1": 1}, file.parent)),
    "frame split": (f"{VIDEO}/frame-0.jpg,1\n" * 3, lambda file: read_frame_split(file, {"0": 0, "1": 1})),
    "segment table": (SEGMENTS, lambda file: read_segment_table(file, [])),
    "videos.csv": (
        "participant,video,split,question,label\nanna,a.mp4,train,1,1\nbo,b.mp4,val,2,0\n",
        lambda file: read_listing(file.parent, []),
    ),
    "segments.csv": ("video,start_s,end_s\na.mp4,0,1\n", lambda file: read_segments(file.parent, [ANNA], [])),
    "transcripts.csv": (
        "video,start_s,end_s,text\na.mp4,0,1,yes\n",
        lambda file: read_transcripts(file.parent, [ANNA], []),
    ),
    "questions.csv": ("question,text\n1,What?\n", lambda file: read_questions(file.parent, [ANNA], [])),
}


def told(read: Callable[[Path], object], file: Path) -> str | None:
    """The sentence with which a reader refuses a file; of any other exception, its kind and lines."""
    try:
        read(file)
    except (WaverError, ExcludedItem) as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}\n{error}"
    return None


def attack(name: str, folder: Path, seconds: float, first: int = 0) -> int:
    """Texts that were read in so many CPU seconds, each from a seed of its own."""
    parts, (sound, read) = (YAML_PARTS, YAML[name]) if name in YAML else (CSV_PARTS, CSV[name])
    file = folder / (name if name.endswith(".csv") else "file.yaml")
    until, seed = time.process_time() + seconds, first
    while time.process_time() < until:
        text = texts(sound, parts, seed, LONGEST)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        started = time.process_time()
        problem = told(read, file)
        assert problem is None or "\n" not in problem, f"{name}, seed {seed}: {problem}"
        spent = time.process_time() - started
        assert spent < MOST_S * max(0.3, len(text) / LONGEST), f"{name}, seed {seed}: {spent:.1f} s"
        seed += 1
    return seed - first


@pytest.mark.parametrize("name", [*YAML, *CSV])
def test_a_reader_meets_hostile_texts(tmp_path, name):
    assert attack(name, tmp_path, 0.4) > 3


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [*YAML, *CSV])
def test_a_reader_meets_hostile_texts_for_long(tmp_path, name, request):
    if "fuzz" not in request.config.getoption("markexpr"):
        pytest.skip("runs with make test-fuzz")
    seconds = float(os.environ.get("WAVER_FUZZ_S", "600")) / len([*YAML, *CSV])
    assert attack(name, tmp_path, seconds, first=1_000_000) > 3


def test_a_sound_text_is_read(tmp_path):
    """What the readers are attacked with begins with files that they read."""
    for name, (sound, read) in (YAML | CSV).items():
        read(put(tmp_path / (name if name.endswith(".csv") else "file.yaml"), sound))
