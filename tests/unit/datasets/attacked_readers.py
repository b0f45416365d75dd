"""The readers of files that users and strangers give, each with a sound file to begin from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fuzzing import CSV_PARTS, OTHER, REVIEW_PARTS, VIDEO, YAML_PARTS, sound_annotation

from waver.cluster.settings import read_config
from waver.datasets.bah.annotation import read_annotation
from waver.datasets.bah.frame_labels import FrameSources, frame_truth
from waver.datasets.bah.metadata import read_metadata
from waver.datasets.bah.release_yaml import read_yaml
from waver.datasets.bah.segments import runs, segment_rows
from waver.datasets.bah.splits import read_classes, read_frame_split, read_segment_table, read_split
from waver.datasets.elan.tier_list import read_tier_list
from waver.datasets.folder.annotations import read_segments, read_transcripts
from waver.datasets.folder.listing import Recording, read_listing
from waver.datasets.folder.question_table import read_questions
from waver.datasets.transcripts import main_language, read_transcript
from waver.errors import ExcludedItem, WaverError
from waver.predict import transcript_files
from waver.predict.codings import read_codings
from waver.predict.elan import write_eaf
from waver.predict.given import Given, read_mapping
from waver.predict.inputs import read_inputs
from waver.predict.model_folder import load_model_folder
from waver.predict.textgrid import write_textgrid
from waver.predict.tiers import MODEL, REVIEWED, on_grid
from waver.zeroshot.journal import Journal
from waver.zeroshot.prompts.prompt_set import prompt_file, read_prompts

ANNA = Recording("a", "anna", "a.mp4", "train", 1, None, "en", "videos.csv, line 2")
SEGMENTS = {"a": [(0, 5), (30, 90)]}


@dataclass(frozen=True)
class Attacked:
    """A reader.

    Attributes:
        file: name of the file that it reads.
        sound: a text that it reads.
        parts: what the format's texts are made of.
        read: the reader; it may raise a WaverError or an ExcludedItem.
    """

    file: str
    sound: str
    parts: tuple[str, ...]
    read: Callable[[Path], object]

    def problem(self, file: Path) -> str | None:
        """The sentence with which a file is refused; of any other exception, its kind and lines."""
        try:
            self.read(file)
        except (WaverError, ExcludedItem) as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}\n{error}"
        return None


def _annotation(file: Path) -> None:
    for one in read_annotation(file):
        labels = frame_truth("", one, FrameSources(), 24, lambda: np.arange(24) / 24)
        if labels is not None:
            segment_rows("v", runs(labels), one)
        if one.problem is None and one.transcript is not None:
            _transcript(one.transcript)


def _transcript(record: object) -> None:
    try:
        main_language(read_transcript(record, 5.0))
    except TypeError:  # the reader of the release goes on without
        return


def _review(file: Path) -> None:
    for coding in read_codings(file, "eva", SEGMENTS, {}):
        assert all(0 <= first < last for first, last in (*coding.positive, *coding.unsure))


def _written(write: Callable[[Path], object]) -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        write(file)
        return file.read_text(encoding="utf-8")


_SPLIT = f"{VIDEO},1,Well, yes.\n{OTHER},0,No.\n"
_SEGMENTS = f"video,segment_id,label,num_frames,start_frame,end_frame\n{VIDEO},0,1,10,0,9\n{OTHER},1,0,5,10,14\n"
_TIERS = {MODEL: [on_grid(0, 5, "0.83"), on_grid(30, 90, "0.5")], REVIEWED: [on_grid(7, 9, "A/H")]}
_JUDGED = '{"recording": "a", "coder": "b", "segments": [{"start_frame": 0, "end_frame": 5, "verdict": "accept"}]}'


@cache
def readers() -> dict[str, Attacked]:
    """Readers by name: of a release, of a folder of recordings, of reviews, and of what the commands are given."""
    return {
        "annotation": Attacked("file.yaml", sound_annotation(), YAML_PARTS, _annotation),
        "metadata": Attacked(
            "file.yaml",
            "'82567':\n  Age: 51\n  Use in publications: Yes\n'82568':\n  Age range: 45 - 54 years\n",
            YAML_PARTS,
            read_metadata,
        ),
        "transcript": Attacked(
            "file.yaml",
            "chunks:\n- language: french\n  text: Oui\n  timestamp: !!python/tuple [0.0, null]\ntext: ''\n",
            YAML_PARTS,
            lambda file: _transcript(read_yaml(file)),
        ),
        "classes": Attacked("file.yaml", "With A-H: 1\nNo A-H: 0\n", YAML_PARTS, read_classes),
        "split": Attacked(
            "split.csv", _SPLIT, CSV_PARTS, lambda file: read_split(file, "train", {"0": 0, "1": 1}, file.parent)
        ),
        "frame split": Attacked(
            "frames.csv",
            f"{VIDEO}/frame-0.jpg,1\n" * 3,
            CSV_PARTS,
            lambda file: read_frame_split(file, {"0": 0, "1": 1}),
        ),
        "segment table": Attacked("table.csv", _SEGMENTS, CSV_PARTS, lambda file: read_segment_table(file, [])),
        "videos.csv": Attacked(
            "videos.csv",
            "participant,video,split,question,label\nanna,a.mp4,train,1,1\nbo,b.mp4,val,2,0\n",
            CSV_PARTS,
            lambda file: read_listing(file.parent, []),
        ),
        "segments.csv": Attacked(
            "segments.csv",
            "video,start_s,end_s\na.mp4,0,1\n",
            CSV_PARTS,
            lambda file: read_segments(file.parent, [ANNA], []),
        ),
        "transcripts.csv": Attacked(
            "transcripts.csv",
            "video,start_s,end_s,text\na.mp4,0,1,yes\n",
            CSV_PARTS,
            lambda file: read_transcripts(file.parent, [ANNA], []),
        ),
        "questions.csv": Attacked(
            "questions.csv", "question,text\n1,What?\n", CSV_PARTS, lambda file: read_questions(file.parent, [ANNA], [])
        ),
        "ELAN": Attacked("a.eaf", _written(lambda file: write_eaf(file, _TIERS)), REVIEW_PARTS, _review),
        "TextGrid": Attacked(
            "a.TextGrid", _written(lambda file: write_textgrid(file, _TIERS, 9000)), REVIEW_PARTS, _review
        ),
        "tab export": Attacked(
            "a.txt", "Tier\tBegin\tEnd\tText\nAH_reviewed\t1000\t2000\tA/H\n", REVIEW_PARTS, _review
        ),
        "table of reviews": Attacked(
            "a.csv", "recording,start_s,end_s,verdict\na,1.0,2.5,accept\na,,,\n", REVIEW_PARTS, _review
        ),
        "review": Attacked("a.json", _JUDGED, REVIEW_PARTS, _review),
        "list of tiers": Attacked(
            "tiers.yaml", "anna: {tier: Codes A, positive: [ambivalent, hesitant]}\n", YAML_PARTS, read_tier_list
        ),
        "prompts": Attacked(
            "prompts.yaml",
            prompt_file("textual").read_text(encoding="utf-8"),
            YAML_PARTS,
            lambda file: read_prompts(str(file)),
        ),
        "config": Attacked(
            "config.yaml",
            "run: own\ndataset: {name: own, root: data, shards: 2}\ntrain: {epochs: 2, seeds: [0]}\n",
            YAML_PARTS,
            lambda file: read_config([file]),
        ),
        "list of recordings": Attacked(
            "recordings.csv",
            "video,participant,question,language,transcript\nrecordings.csv,anna,1,en,\n",
            CSV_PARTS,
            lambda file: read_inputs([file], Given(Path()), []),
        ),
        "names of recordings": Attacked(
            "mapping.csv",
            "recording,file,participant,question,language,transcript\nrecording_001,/a.mp4,anna,1,en,\n",
            CSV_PARTS,
            read_mapping,
        ),
        "subtitles": Attacked(
            "a.vtt",
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Anna>Well &amp; good\n",
            REVIEW_PARTS,
            transcript_files.read_transcript,
        ),
        "model": Attacked(
            "model.json",
            '{"format": 1, "record_digest": ""}',
            REVIEW_PARTS,
            lambda file: load_model_folder(file.parent),
        ),
        "journal": Attacked("journal.jsonl", '{"key": "a", "text": "yes"}\n', REVIEW_PARTS, Journal),
    }
