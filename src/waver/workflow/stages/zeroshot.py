"""zeroshot: models that are asked about videos and windows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from waver.datasets.folds import Folding
from waver.errors import WaverError
from waver.records import ZeroShotModelRecord, method_config
from waver.records import load as method
from waver.registry import CUE_DESCRIBERS, ZERO_SHOT_MODELS
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage
from waver.workflow.stages.finetune import Finetune, options_of
from waver.zeroshot.prompts.prompt_set import Prompt, PromptSet, check_published, read_prompts, shipped_sets
from waver.zeroshot.records import CUE_FEATURES, CUE_SLOTS, VIDEO, Condition, PromptedModel, window_of

_LETTERS = {"text": "", "video": "V", "face_audio": "VA"}


def _record(name: str) -> ZeroShotModelRecord:
    """Of a model as paths call it."""
    return ZERO_SHOT_MODELS[PromptedModel.of(name).base]


class ZeroShot(Stage):
    """Models that nobody trained for the task, or that were fine-tuned for it, and what they answer."""

    def check(self, load: bool) -> None:
        """The models, their options and the prompts are known, and each model has something to be asked."""
        zeroshot = self.config.zeroshot
        check_methods("zeroshot.models", ZERO_SHOT_MODELS, zeroshot.models, zeroshot.options, load)
        for name in zeroshot.models:
            self._check_model(name)
            if (
                load and not ZERO_SHOT_MODELS[name].local
            ):  # whether it may be asked at all is known before anything runs
                options = method_config(ZERO_SHOT_MODELS, name, zeroshot.options.get(name, {}))
                method(ZERO_SHOT_MODELS, name).load(Path(), options, zeroshot.dtype)
        if zeroshot.finetune.models:
            self.finetune.check(load)
        if zeroshot.prompt_set not in shipped_sets():
            check_published({key: one for name in self.names for key, one in self.prompts(name).items()})

    @cached_property
    def finetune(self) -> Finetune:
        """How some of the models are fine-tuned before."""
        return Finetune(self.run, self.prompt_set, self.of_shards)

    @property
    def names(self) -> list[str]:
        """Models as paths call them; those that are fine-tuned come last, once a seed."""
        tuning = self.config.zeroshot.finetune
        tuned = [PromptedModel.tuned(name, seed) for name in tuning.models for seed in tuning.seeds]
        return [*self.config.zeroshot.models, *tuned]

    def _check_model(self, name: str) -> None:
        if not self.run.recorded and ZERO_SHOT_MODELS[name].inputs != "text":
            raise WaverError(f"zeroshot.models: {name} looks at videos, which transcripts lack; leave it out")
        if not self.prompts(name):
            raise WaverError(
                f"zeroshot.models: {name} reads what was said, and no prompt in zeroshot.prompts quotes it; add one, "
                "such as td1"
            )
        if "timeline" in self._slots(name) and not self.run.recorded:
            raise WaverError("zeroshot.prompts: a timeline needs recordings, which transcripts lack; leave it out")
        if not self._granularities(name):
            raise WaverError(
                f"zeroshot.models: {name} would be asked the same about all windows of a video; set zeroshot.video, or "
                "zeroshot.transcript.scope to window"
            )

    @cached_property
    def prompt_set(self) -> PromptSet:
        """The prompts of the config."""
        return read_prompts(self.config.zeroshot.prompt_set)

    def prompts(self, name: str) -> dict[str, Prompt]:
        """Those that a model can say something to: one that reads alone, those that quote what was said.

        Of a fine-tuned model, the one that it learned.
        """
        if PromptedModel.of(name).seed is not None:
            return self.prompt_set.chosen((self.config.zeroshot.finetune.prompt,))
        chosen = self.prompt_set.chosen(self.config.zeroshot.prompts)
        reads = _record(name).inputs == "text"
        return {key: prompt for key, prompt in chosen.items() if prompt.slots or not reads}

    def _granularities(self, name: str) -> list[str]:
        zeroshot = self.config.zeroshot
        if PromptedModel.of(name).seed is not None:
            return [VIDEO]
        windows = zeroshot.windows_about(_record(name).inputs) if self.run.recorded else ()
        return [VIDEO] * zeroshot.video + [f"w{window}" for window in windows]

    # files ------------------------------------------------------------------------------------------
    def model_records(self) -> list[str]:
        """Of the models that are asked."""
        roles = dict.fromkeys(_record(name).asset for name in self.names)
        return [self.run.model_record(role) for role in roles if role]

    def model(self, wildcards: Wildcards) -> list[str]:
        """Record of the job's model; none of one that is not in this process."""
        role = _record(wildcards.prompted_model).asset
        return [self.run.model_record(role)] if role else []

    def videos(self, wildcards: Wildcards) -> list[str]:
        """Table of the recordings, where they are needed."""
        return self.of_shards("videos", wildcards.prompted_model, wildcards.granularity, [wildcards.shard])

    def faces(self, wildcards: Wildcards) -> list[str]:
        """Index of the faces, of a model that looks at them."""
        return self.of_shards("faces", wildcards.prompted_model, wildcards.granularity, [wildcards.shard])

    def speech(self, wildcards: Wildcards) -> list[str]:
        """Index of the speech, unless no prompt quotes it, or the transcripts are given and quoted as they are."""
        return self.of_shards("speech", wildcards.prompted_model, wildcards.granularity, [wildcards.shard])

    def adapter(self, wildcards: Wildcards) -> list[str]:
        """What fine-tuning learned, of a model that is fine-tuned."""
        tuned = PromptedModel.of(wildcards.prompted_model).seed is not None
        path = self.paths.zeroshot_adapter("adapter_model.safetensors")
        return [path.format(prompted_model=wildcards.prompted_model)] if tuned else []

    def of_shards(self, kind: str, name: str, granularity: str, shards: Sequence[str]) -> list[str]:
        """Videos, faces or speech of some shards, where a model needs them."""
        inputs, config = _record(name).inputs, self.config.zeroshot
        quoted, described = "transcript" in self._slots(name), self.run.recorded and self._describes_cues(name)
        given = self.config.features.speech.source == "given" and config.transcript.scope == "video"
        needed = {
            "videos": described or inputs != "text" or granularity != VIDEO,
            "faces": inputs == "face_audio" or (inputs == "video" and config.frames.picture == "face"),
            "speech": quoted and not (given and config.transcript.style != "timed"),
        }
        template = self.paths.shard_table(kind) if kind == "videos" else self.paths.feature_index(kind)
        return [template.format(shard=shard) for shard in shards] if needed[kind] else []

    def described_cues(self, wildcards: Wildcards) -> list[str]:
        """Indexes of the features that cues are found in, where a prompt tells them and there are recordings."""
        return [path.format(**wildcards) for path in self._cue_indexes(wildcards.prompted_model).values()]

    def _cue_indexes(self, model: str) -> dict[str, str]:
        """Feature -> its index, of those that the prompts of a model need for their cues."""
        if not self._describes_cues(model) or not self.run.recorded:
            return {}
        return {name: self.paths.feature_index(name) for name in CUE_FEATURES}

    def _describes_cues(self, model: str) -> bool:
        return not CUE_SLOTS.isdisjoint(self._slots(model))

    def _slots(self, model: str) -> set[str]:
        return {slot for prompt in self.prompts(model).values() for slot in prompt.slots}

    def answer_tables(self, wildcards: Wildcards) -> list[str]:
        """Answers about all shards."""
        return [self.paths.zeroshot_answers.format(**{**wildcards, "shard": shard}) for shard in self.run.shards]

    def listed(self, wildcards: Wildcards) -> list[str]:
        """Answers of all shards, where their people are dealt out to folds."""
        return [self.paths.shard_table("answers").format(shard=shard) for shard in self.run.shards if self.folding]

    def packs(self, wildcards: Wildcards) -> list[str]:
        """Pack indexes of all shards, where windows become frames."""
        shards = self.run.shards if wildcards.granularity != VIDEO else []
        return [self.paths.pack_index.format(shard=shard) for shard in shards]

    def files(self) -> dict[str, str]:
        """Name -> path of each predictions file of a prompt."""
        found = {}
        for calibration in self.config.zeroshot.calibration:
            found[f"{calibration}_predictions"] = self.paths.zeroshot(calibration)
            if self.folding:
                found[f"{calibration}_folds"] = self.paths.zeroshot(f"{calibration}.folds")
        return found

    def predictions(self) -> list[str]:
        """Of every model, granularity, prompt and calibration; of whole videos also spread over their frames."""
        own = self._of_prompts()
        if not (self.config.zeroshot.spread and self.run.recorded):
            return own
        return [*own, *(f"{path.removesuffix('.parquet')}.frames.parquet" for path in own if f"/{VIDEO}/" in path)]

    def _of_prompts(self) -> list[str]:
        return [
            path.format(prompted_model=name, granularity=granularity, prompt=prompt)
            for name in self.names
            for granularity, prompt in product(self._granularities(name), self.prompts(name))
            for kind, path in self.files().items()
            # who is held out has been learned from
            if PromptedModel.of(name).seed is None or not kind.endswith("_folds")
        ]

    def cue_features(self) -> dict[str, str]:
        """Feature -> its index, of those that cues are found in; where models are asked about recordings."""
        return (
            {name: self.paths.feature_index(name) for name in CUE_FEATURES} if self.names and self.run.recorded else {}
        )

    def tables(self) -> dict[str, str]:
        """What the answers are worth, and the cues that can be told."""
        found = {"conditions": self.paths.zeroshot_conditions} if self.names else {}
        return found | ({"cue_scores": self.paths.zeroshot_cues} if self.cue_features() else {})

    def methods(self) -> Iterable[str]:
        """Names of the lines in the tables."""
        return [
            Condition(PromptedModel.of(name).method, prompt, window_of(granularity), calibration).method
            for name in self.names
            for granularity, prompt in product(self._granularities(name), self.prompts(name))
            for calibration in self.config.zeroshot.calibration
        ]

    # params -----------------------------------------------------------------------------------------
    def questions(self, wildcards: Wildcards) -> dict[str, dict[str, Any]]:
        """Id -> fields of each prompt, with the answers that it asks for."""
        chosen = self.prompts(wildcards.prompted_model)
        return {
            name: {**prompt.model_dump(), "answers": self.prompt_set.answers_of(name).model_dump()}
            for name, prompt in chosen.items()
        }

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides the answers of one model."""
        zeroshot, model = self.config.zeroshot, PromptedModel.of(wildcards.prompted_model)
        left = {"models", "prompt_set", "prompts", "video", "windows", "spread", "unparsable", "options", "finetune"}
        options = options_of(zeroshot, model.base)
        known = {**zeroshot.model_dump(exclude=left), "unparsable": self._scored(), "options": options}
        # a fine-tuned model has learned the answers of train
        splits = [split for split in zeroshot.splits if split != "train"] if model.seed is not None else zeroshot.splits
        return {**known, "splits": splits}

    def base(self, wildcards: Wildcards) -> str:
        """Name of the job's model in the registry."""
        return PromptedModel.of(wildcards.prompted_model).base

    def _scored(self) -> str:
        """Policies of what is no answer are applied later; ``score`` alone is asked for."""
        return "score" if self.config.zeroshot.unparsable == "score" else "drop"

    def hesitations(self, wildcards: Wildcards) -> bool:
        """Whether the recogniser was asked for hesitations."""
        speech = self.config.features.speech
        return speech.verbatim and speech.source == "recognise"

    def ask_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the loop and of this family; others do not count."""
        model = wildcards.prompted_model
        described = [CUE_DESCRIBERS["cues"].target] if self._describes_cues(model) else []
        return code("zeroshot_ask", _record(model).target, *described)

    @property
    def folding(self) -> tuple[int, Folding] | None:
        """Folds in which people of train and val are scored, where they are asked about."""
        train = self.config.train
        wanted = self.run.cross_validated and {"train", "val"} <= set(self.config.zeroshot.splits)
        return (train.folds, train.folding) if wanted else None

    def known(self, wildcards: Wildcards) -> dict[str, Any]:
        """What predictions say of how the model was asked, as far as the config decides it."""
        zeroshot, prompt = self.config.zeroshot, self.prompts(wildcards.prompted_model)[wildcards.prompt]
        window, quotes = window_of(wildcards.granularity), "transcript" in prompt.slots
        return {
            "family": _record(wildcards.prompted_model).target.split(":")[0].split(".")[-1],
            "prompt_set": self.prompt_set.name,
            "prompt": wildcards.prompt,
            "label": prompt.label,
            "prompt_sha256": prompt.sha256,
            "window": window,
            "stride": None if window is None else zeroshot.stride or window,
            "transcript": zeroshot.transcript.style if quotes else "",
            "scope": ("video" if window is None else zeroshot.transcript.scope) if quotes else "",
            "policy": "" if zeroshot.decoding == "score" else zeroshot.unparsable,
        }

    def policy(self, wildcards: Wildcards) -> tuple[str, int]:
        """What an answer counts as that is neither, and what it does in the model's own code."""
        return self.config.zeroshot.unparsable, _record(wildcards.prompted_model).released

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        prompt = self.prompts(wildcards.prompted_model)[wildcards.prompt]
        letters = _LETTERS[_record(wildcards.prompted_model).inputs] + "T" * bool(prompt.slots)
        if self.run.recorded and not CUE_SLOTS.isdisjoint(prompt.slots):
            letters = "VAT"  # what is seen and heard is told in words
        tuned = PromptedModel.of(wildcards.prompted_model).seed is not None
        learned = self.finetune.recipe(wildcards) if tuned else {}
        made = self.run.prediction_record(code("zeroshot_predict"), {**learned, **self.recipe(wildcards)})
        return {**made, "modalities": letters}
