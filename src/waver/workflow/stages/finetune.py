"""zeroshot: models whose language model learns the answers to one prompt before they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from waver.config.zeroshot import ZeroShotConfig
from waver.errors import WaverError
from waver.registry import ZERO_SHOT_MODELS
from waver.workflow.checks import check_methods
from waver.workflow.fingerprint import code
from waver.workflow.run import Run, Wildcards
from waver.zeroshot.prompts.prompt_set import PromptSet
from waver.zeroshot.records import CUE_SLOTS, VIDEO, PromptedModel


def options_of(zeroshot: ZeroShotConfig, base: str) -> dict[str, dict[str, Any]]:
    """The options of one model alone, by its name."""
    return {base: zeroshot.options[base]} if base in zeroshot.options else {}


class Finetune:
    """The part of the stage that trains.

    Args:
        run: whose stage it is.
        prompts: of the config.
        of_shards: files that a model needs, of a kind, for whole videos, of some shards.
    """

    def __init__(
        self, run: Run, prompts: PromptSet, of_shards: Callable[[str, str, str, Sequence[str]], list[str]]
    ) -> None:
        self._run, self._prompts, self._of_shards = run, prompts, of_shards
        self._zeroshot, self._recipe = run.config.zeroshot, run.config.zeroshot.finetune

    def check(self, load: bool) -> None:
        """The models are in this process, and the prompt is one that they can learn.

        Raises:
            WaverError: one is not.
        """
        check_methods("zeroshot.finetune.models", ZERO_SHOT_MODELS, self._recipe.models, self._zeroshot.options, load)
        for name in self._recipe.models:
            record = ZERO_SHOT_MODELS[name]
            if not record.local:
                raise WaverError(f"zeroshot.finetune.models: {name} is not in this process; leave it out")
            if not self._run.recorded and record.inputs != "text":
                raise WaverError(
                    f"zeroshot.finetune.models: {name} looks at videos, which transcripts lack; leave it out"
                )
            if record.inputs == "text" and not self._question.slots:
                raise WaverError(
                    f"zeroshot.finetune.prompt: {self._recipe.prompt} quotes nothing, and {name} reads alone; choose "
                    "one like td1"
                )
        if self._recipe.models and set(self._zeroshot.splits) == {"train"}:
            raise WaverError(
                "zeroshot.splits: a fine-tuned model is not asked about train, from which it learned; add val or test"
            )
        if self._recipe.models and not CUE_SLOTS.isdisjoint(self._question.slots):
            raise WaverError(f"zeroshot.finetune.prompt: {self._recipe.prompt} tells cues; choose one like td1")
        if self._recipe.models and self._question.options:
            raise WaverError(
                f"zeroshot.finetune.prompt: {self._recipe.prompt} asks for a letter in two orders, and one answer is "
                "learned; choose one like td1"
            )

    @property
    def _question(self) -> Any:
        return self._prompts.chosen((self._recipe.prompt,))[self._recipe.prompt]

    def every(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Videos, faces or speech of all shards, as far as the model needs them."""
        return lambda wildcards: self._of_shards(kind, wildcards.prompted_model, VIDEO, self._run.shards)

    def seed(self, wildcards: Wildcards) -> int | None:
        """Of what is drawn."""
        return PromptedModel.of(wildcards.prompted_model).seed

    def question(self, wildcards: Wildcards) -> dict[str, Any]:
        """Fields of the prompt that is learned, with its answers."""
        answers = self._prompts.answers_of(self._recipe.prompt)
        return {**self._question.model_dump(), "answers": answers.model_dump()}

    def recipe(self, wildcards: Wildcards) -> dict[str, Any]:
        """The part of the config that decides what is learned."""
        own = self._zeroshot.model_dump(include={"frames", "transcript", "dtype"})
        recipe = self._recipe.model_dump(exclude={"models", "seeds"})
        options = options_of(self._zeroshot, PromptedModel.of(wildcards.prompted_model).base)
        return {**own, "finetune": recipe, "options": options}

    def code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the training and of this family."""
        base = PromptedModel.of(wildcards.prompted_model).base
        return code("zeroshot_finetune", ZERO_SHOT_MODELS[base].target)
