"""A model asked all questions about the videos of one shard, loaded once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from waver.assets.manifest import Installed, installed
from waver.config.zeroshot import ZeroShotConfig
from waver.errors import ExcludedItem, WaverError, ends_job
from waver.io.lock import exclusive
from waver.io.tables import PROMPT_ANSWERS, write_table
from waver.models.lora_adapter import merge_adapter
from waver.provenance import digest, file_sha256
from waver.records import method_config
from waver.registry import ZERO_SHOT_MODELS
from waver.zeroshot.batches import Answered, Batches, Reading
from waver.zeroshot.families.base import Family, Item
from waver.zeroshot.families.transformers_model import TransformersModel
from waver.zeroshot.items import Items, Planned, Row, Sources
from waver.zeroshot.journal import Entry, Journal
from waver.zeroshot.loading import load_family
from waver.zeroshot.questions import Question, questions_of
from waver.zeroshot.records import window_of

log = logging.getLogger(__name__)

_DECIDING = {"frames", "decoding", "likelihood", "most_tokens", "dtype", "quantisation", "keep_answers"}
"""Keys of the config that decide an answer beside the prompt and the frames."""


class Asking(NamedTuple):
    """A video or window that is still to be asked about."""

    row: Row
    part: Planned
    item: Item
    keys: list[str]


def ask_shard(
    sources: Sources,
    model: Path | None,
    name: str,
    granularity: str,
    questions: Mapping[str, Mapping[str, Any]],
    config: ZeroShotConfig,
    hesitations: bool,
    code: str,
    output: Path,
    adapter: Path | None = None,
) -> None:
    """Ask a model about every video of a shard, or every window of it (rule ``zeroshot_ask``).

    ``<output without suffix>.journal.jsonl`` keeps what is answered, see ``waver.zeroshot.journal``. With
    ``config.keep_answers`` what the model wrote is kept in ``.<output without suffix>.private.jsonl`` beside it,
    under the keys of the journal: earlier texts stay. Without, that file is removed.

    Args:
        sources: files of the shard.
        model: ``asset.json`` of the installed model; None of one that is not in this process.
        name: in ZERO_SHOT_MODELS.
        granularity: ``video``, or ``w8`` for windows of 8 frames.
        questions: id -> fields of a prompt, its answers among them.
        config: whom to ask about, frames, transcript, decoding.
        hesitations: the recogniser was asked for them (``features.speech.verbatim``).
        code: fingerprint of the code.
        output: Parquet file to write (PROMPT_ANSWERS).
        adapter: weights of the change that fine-tuning learned, of a model in this process; None: as it is installed.

    Raises:
        WaverError: the folder holds no such model, or an adapter of another one, or every video failed unexpectedly.
        OSError, MemoryError: the disk or the memory is exhausted; a retry resumes.
    """
    record = installed(model) if model else None
    family = _loaded(name, record, config)
    change = {} if adapter is None else {"adapter": _merged(family, adapter)}
    if isinstance(family, TransformersModel):
        family.ready(config.quantisation)
    prompts = questions_of(questions)
    items = Items(sources, family.capabilities, prompts, window_of(granularity), config, hesitations)
    scored = config.decoding != "score" and config.unparsable == "score"
    reading = Reading(config.decoding, config.likelihood, config.most_tokens, scored)
    made_from = _made_from(name, record, family, config) | {"code": code, "scored": scored, **change}
    with exclusive(Path(f"{output}.lock")):
        private = output.with_name(f".{output.stem}.private.jsonl")
        if not config.keep_answers:
            private.unlink(missing_ok=True)
        journal = Journal(output.with_suffix(".journal.jsonl"))
        job = _Job(items, Batches(family, prompts, reading, config.batch), journal, made_from, prompts)
        job.private = private if config.keep_answers else None
        rows = job.run()
        about = {"model": {**family.describe(), **change}, "key": made_from["model"]}
        about |= {
            "set": record.set if record else "",
            "decoding": config.decoding,
            "excluded": job.excluded,
            "window": window_of(granularity),
        }
        if "contextual" in config.calibration:
            about["content_free"] = job.content_free()
        write_table(output, rows, PROMPT_ANSWERS, about)


def _made_from(name: str, record: Installed | None, family: Family, config: ZeroShotConfig) -> dict[str, Any]:
    """What an answer follows from beside the question: the model and how it is asked."""
    dtype = family.describe().get("dtype", config.dtype)  # auto: another one on another device
    model = {"model": record.key if record else name, "options": config.options.get(name, {})}
    return model | config.model_dump(include=_DECIDING) | {"dtype": dtype}


def _loaded(name: str, record: Installed | None, config: ZeroShotConfig) -> Family:
    options = method_config(ZERO_SHOT_MODELS, name, config.options.get(name, {}))
    family: Family = load_family(name, record, options, config.dtype)
    return family


def _merged(family: Family, adapter: Path) -> str:
    """Sha256 of the change, which is added to the model's weights."""
    if not isinstance(family, TransformersModel):
        raise WaverError(f"{adapter} cannot change a model that is not in this process; take it out of the config")
    merge_adapter(family.model, adapter.parent)
    return file_sha256(adapter)


class _Job:
    """The loop over videos. No prompt and nothing that was written reaches the log or a table.

    Attributes:
        private: file to which what was written is appended; None: nothing of it is kept.
    """

    private: Path | None = None

    def __init__(
        self,
        items: Items,
        batches: Batches,
        journal: Journal,
        made_from: Mapping[str, Any],
        questions: Sequence[Question],
    ) -> None:
        self._items, self._batches, self._journal, self._made_from = items, batches, journal, made_from
        self._prompts = [question.prompt for question in questions]
        self._wanted = [question.answers.model_dump() for question in questions]
        self._rows: dict[str, list[Row]] = {}
        self._failed: dict[str, bool] = {}

    @property
    def excluded(self) -> int:
        """Videos without answers."""
        return len(self._failed)

    def run(self) -> list[Row]:
        """PROMPT_ANSWERS rows of all videos that could be asked about."""
        videos = self._items.rows()
        waiting: list[Asking] = []
        for row in videos:
            for one in self._pending(row):
                waiting.append(one)
                if len(waiting) >= self._batches.size:
                    self._ask(waiting)
                    waiting = []
        self._ask(waiting)
        if videos and len(self._failed) == len(videos) and all(self._failed.values()):
            raise WaverError("none of the shard's videos could be asked about; see the traceback in the job's log")
        log.info("%d of %d videos have answers", len(videos) - len(self._failed), len(videos))
        kept = [row for video, rows in self._rows.items() if video not in self._failed for row in rows]
        return [{**self._answer(row.pop("key")), **row} for row in kept]

    def _pending(self, row: Row) -> Iterator[Asking]:
        """What is still to be asked of a video; it is set aside where that cannot be had."""
        try:
            video = self._items.plan(row)
            parts = [(part, self._keyed(row, part)) for part in video.parts]
            self._rows[row["video"]] = [one for _, rows in parts for one in rows]
            keys = {id(part): [one["key"] for one in rows] for part, rows in parts}
            missing = [part for part, _ in parts if any(self._journal.get(key) is None for key in keys[id(part)])]
            for part, item in self._items.items(video, missing) if missing else ():
                yield Asking(row, part, item, keys[id(part)])
        except ExcludedItem as problem:
            self._set_aside(row, problem)
        except Exception as problem:
            if ends_job(problem):
                raise
            log.exception("%s excluded", row["video"])
            self._failed[row["video"]] = True

    def _keyed(self, row: Row, part: Planned) -> list[Row]:
        """The part's rows without their answers, which the journal has, or will have, under ``key``."""
        window = part.window
        shown = window and [window.start_frame, window.end_frame, window.frames.tolist()]
        known = {name: row[name] for name in ("video", "participant", "split")}
        known |= {"start_frame": window and window.start_frame, "end_frame": window and window.end_frame}
        sums = [hashlib.sha256(prompt.text.encode()).hexdigest() for prompt in part.prompts]
        decided = [self._made_from, row["video"], *self._items.recording(row), shown]
        return [
            {**known, "prompt": prompt, "prompt_sha256": own, "key": digest([*decided, own, answers])}
            for prompt, own, answers in zip(self._prompts, sums, self._wanted, strict=True)
        ]

    def _answer(self, key: str) -> Entry:
        return {name: value for name, value in (self._journal.get(key) or {}).items() if name != "key"}

    def _set_aside(self, row: Row, problem: ExcludedItem) -> None:
        log.warning("%s excluded: %s", row["video"], problem)
        self._failed.setdefault(row["video"], False)

    def _ask(self, waiting: Sequence[Asking]) -> None:
        answers = self._batches.ask([one.item for one in waiting], [one.part.prompts for one in waiting])
        entries: list[Entry] = []
        for one, own in zip(waiting, answers, strict=True):
            if isinstance(own, ExcludedItem):
                self._set_aside(one.row, own)
                continue
            entries += [{"key": key, **_numbers_of(answer)} for key, answer in zip(one.keys, own, strict=True)]
            self._keep(one, own)
        self._journal.add(entries)

    def _keep(self, one: Asking, answers: Sequence[Answered]) -> None:
        if self.private is None:
            return
        start = one.part.window and one.part.window.start_frame
        with open(self.private, "a", encoding="utf-8") as stream:
            for prompt, key, answer in zip(self._prompts, one.keys, answers, strict=True):
                record = {"key": key, "video": one.row["video"], "start_frame": start, "prompt": prompt}
                record["text"] = answer.text
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")

    def content_free(self) -> dict[str, float | None]:
        """Prompt -> margin about nothing, of both orders its mean; None where answers are not scored."""
        item, prompts = self._items.content_free()
        (answers,) = self._batches.ask([item], [prompts])
        if isinstance(answers, ExcludedItem):
            raise answers
        found: dict[str, list[float]] = {prompt: [] for prompt in self._prompts}
        for prompt, one in zip(self._prompts, answers, strict=True):
            found[prompt] += [] if one.scored is None else [one.scored.margin]
        return {prompt: sum(own) / len(own) if own else None for prompt, own in found.items()}


def _numbers_of(answer: Answered) -> dict[str, Any]:
    scored = answer.scored
    return {
        "negative": None if scored is None else scored.negative,
        "positive": None if scored is None else scored.positive,
        "mass": None if scored is None else scored.mass,
        "parsed": answer.parsed,
        "tokens": answer.tokens,
        "seconds": round(answer.seconds, 6),
        "batch": answer.batch,
    }
