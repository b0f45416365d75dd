"""zeroshot: models that are asked about videos and windows of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import product
from typing import Any

from waver.datasets.folds import Folding
from waver.errors import WaverError
from waver.registry import ZERO_SHOT_MODELS
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage
from waver.zeroshot.prompts.prompt_set import Prompt, PromptSet, read_prompts
from waver.zeroshot.records import VIDEO, Condition, window_of

_LETTERS = {"text": "", "video": "V", "face_audio": "VA"}


class ZeroShot(Stage):
    """Models that nobody trained for the task, and what they answer."""

    def check(self, load: bool) -> None:
        """The models, their options and the prompts are known, and each model has something to be asked."""
        asked = self.config.zeroshot
        check_methods("zeroshot.models", ZERO_SHOT_MODELS, asked.models, asked.options, load)
        for name in asked.models:
            self._check_model(name)

    def _check_model(self, name: str) -> None:
        if not self.run.recorded and ZERO_SHOT_MODELS[name].inputs != "text":
            raise WaverError(f"zeroshot.models: {name} looks at videos, which transcripts lack; leave it out")
        if not self.prompts(name):
            raise WaverError(
                f"zeroshot.models: {name} reads what was said, and no prompt in zeroshot.prompts quotes it; add one, "
                "such as td1"
            )
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
        """Those that a model can say something to: one that reads alone, those that quote what was said."""
        chosen = self.prompt_set.chosen(self.config.zeroshot.prompts)
        reads = ZERO_SHOT_MODELS[name].inputs == "text"
        return {key: prompt for key, prompt in chosen.items() if prompt.slots or not reads}

    def _granularities(self, name: str) -> list[str]:
        asked = self.config.zeroshot
        windows = [f"w{window}" for window in dict.fromkeys(asked.windows) if self.run.recorded]
        if ZERO_SHOT_MODELS[name].inputs == "text" and asked.transcript.scope == "video":
            windows = []
        return [VIDEO] * asked.video + windows

    # files ------------------------------------------------------------------------------------------
    def model_records(self) -> list[str]:
        """Of the models that are asked."""
        roles = dict.fromkeys(ZERO_SHOT_MODELS[name].asset for name in self.config.zeroshot.models)
        return [self.run.model_record(role) for role in roles if role]

    def model(self, wildcards: Wildcards) -> list[str]:
        """Record of the job's model; none of one that is not in this process."""
        role = ZERO_SHOT_MODELS[wildcards.asked_model].asset
        return [self.run.model_record(role)] if role else []

    def _sees(self, wildcards: Wildcards) -> bool:
        return ZERO_SHOT_MODELS[wildcards.asked_model].inputs != "text" or wildcards.granularity != VIDEO

    def videos(self, wildcards: Wildcards) -> list[str]:
        """Table of the recordings, where they are needed."""
        return [self.paths.shard_table("videos").format(**wildcards)] if self._sees(wildcards) else []

    def faces(self, wildcards: Wildcards) -> list[str]:
        """Index of the faces, of a model that looks at them."""
        inputs = ZERO_SHOT_MODELS[wildcards.asked_model].inputs
        faces = inputs == "face_audio" or (inputs == "video" and self.config.zeroshot.frames.picture == "face")
        return [self.paths.feature_index("faces").format(**wildcards)] if faces else []

    def speech(self, wildcards: Wildcards) -> list[str]:
        """Index of the speech, unless no prompt quotes it, or the transcripts are given and quoted as they are."""
        config, slots = self.config.zeroshot.transcript, self._slots(wildcards)
        as_given = self.config.features.speech.source == "given" and config.style != "timed" and config.scope == "video"
        quoted = "transcript" in slots and not as_given
        return [self.paths.feature_index("speech").format(**wildcards)] if quoted else []

    def _slots(self, wildcards: Wildcards) -> set[str]:
        return {slot for prompt in self.prompts(wildcards.asked_model).values() for slot in prompt.slots}

    def asked(self, wildcards: Wildcards) -> list[str]:
        """Answers about all shards."""
        return [self.paths.zeroshot_asked.format(**{**wildcards, "shard": shard}) for shard in self.run.shards]

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
        """Of every model, granularity, prompt and calibration."""
        return [
            path.format(asked_model=name, granularity=granularity, prompt=prompt)
            for name in self.config.zeroshot.models
            for granularity, prompt in product(self._granularities(name), self.prompts(name))
            for path in self.files().values()
        ]

    def methods(self) -> Iterable[str]:
        """Names of the lines in the tables."""
        return [
            Condition(name, prompt, window_of(granularity), calibration).method
            for name in self.config.zeroshot.models
            for granularity, prompt in product(self._granularities(name), self.prompts(name))
            for calibration in self.config.zeroshot.calibration
        ]

    # params -----------------------------------------------------------------------------------------
    def questions(self, wildcards: Wildcards) -> dict[str, dict[str, Any]]:
        """Id -> fields of each prompt, with the answers that it asks for."""
        chosen = self.prompts(wildcards.asked_model)
        return {
            name: {**prompt.model_dump(), "answers": self.prompt_set.answers_of(name).model_dump()}
            for name, prompt in chosen.items()
        }

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides the answers of one model."""
        asked, name = self.config.zeroshot, wildcards.asked_model
        left = {"models", "prompt_set", "prompts", "video", "windows", "unparsable", "options"}
        options = {name: asked.options[name]} if name in asked.options else {}
        return {**asked.model_dump(exclude=left), "unparsable": self._scored(), "options": options}

    def _scored(self) -> str:
        """Policies of what is no answer are applied later; ``score`` alone is asked for."""
        return "score" if self.config.zeroshot.unparsable == "score" else "drop"

    def hesitations(self, wildcards: Wildcards) -> bool:
        """Whether the recogniser was asked for hesitations."""
        speech = self.config.features.speech
        return speech.verbatim and speech.source == "recognise"

    def ask_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the loop and of this family; others do not count."""
        return code("zeroshot_ask", ZERO_SHOT_MODELS[wildcards.asked_model].target)

    @property
    def folding(self) -> tuple[int, Folding] | None:
        """Folds in which people of train and val are scored, where they are asked about."""
        train = self.config.train
        wanted = self.run.cross_validated and {"train", "val"} <= set(self.config.zeroshot.splits)
        return (train.folds, train.folding) if wanted else None

    def known(self, wildcards: Wildcards) -> dict[str, Any]:
        """What predictions say of how the model was asked, as far as the config decides it."""
        asked, prompt = self.config.zeroshot, self.prompts(wildcards.asked_model)[wildcards.prompt]
        window, quotes = window_of(wildcards.granularity), "transcript" in prompt.slots
        return {
            "family": ZERO_SHOT_MODELS[wildcards.asked_model].target.split(":")[0].split(".")[-1],
            "prompt_set": self.prompt_set.name,
            "prompt": wildcards.prompt,
            "label": prompt.label,
            "prompt_sha256": prompt.sha256,
            "window": window,
            "stride": None if window is None else asked.stride or window,
            "transcript": asked.transcript.style if quotes else "",
            "scope": ("video" if window is None else asked.transcript.scope) if quotes else "",
            "policy": "" if asked.decoding == "score" else asked.unparsable,
        }

    def policy(self, wildcards: Wildcards) -> tuple[str, int]:
        """What an answer counts as that is neither, and what it does in the model's own code."""
        return self.config.zeroshot.unparsable, ZERO_SHOT_MODELS[wildcards.asked_model].released

    def record(self, wildcards: Wildcards) -> dict[str, Any]:
        """What its predictions say about what made them."""
        prompt = self.prompts(wildcards.asked_model)[wildcards.prompt]
        letters = _LETTERS[ZERO_SHOT_MODELS[wildcards.asked_model].inputs] + "T" * bool(prompt.slots)
        made = self.run.prediction_record(code("zeroshot_predict"), self.recipe(wildcards))
        return {**made, "modalities": letters}
