"""LoRA of a language model that reads pictures: the loss, and what changes.

The loss of a video is the cross entropy of the first token of its answer, where the two answers differ. So each video
weighs the same, although one answer has more tokens, and what is learned is what is scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from waver.config.zeroshot import FinetuneConfig
from waver.device import torch_device
from waver.errors import WaverError
from waver.models.lora import LoraLinear, LoraSettings, adapt
from waver.provenance import seed_for
from waver.training.lr_schedule import step_rate
from waver.training.trainer import Course, Meter, Training
from waver.zeroshot.families.shared_prefix import text_positions
from waver.zeroshot.families.transformers_model import TransformersModel, language_part
from waver.zeroshot.finetune.samples import Sample


class Factors(nn.Module):
    """The low-rank factors of a model, as the training loop sees it: its weights are not theirs, and are not kept.

    Args:
        model: whose language model changes; its other parts stay as they are.
        settings: rank, scale, dropout and names of layers.
    """

    def __init__(self, model: Any, settings: LoraSettings) -> None:
        super().__init__()
        own, language = language_part(model)
        adapt(model, settings, lambda name: name.startswith(own))
        self._model, self._language = (model,), (language,)  # in tuples: their parameters are not this module's
        changed = [part for part in model.modules() if isinstance(part, LoraLinear)]
        self.down = nn.ModuleList(part.down for part in changed)
        self.up = nn.ModuleList(part.up for part in changed)

    @property
    def model(self) -> Any:
        """The whole model."""
        return self._model[0]

    def train(self, mode: bool = True) -> Self:
        """As of any module; of the model its language model follows, and what stays as it is never drops anything."""
        self.model.eval()
        self._language[0].train(mode)
        return super().train(mode)


class AdapterTraining(Training[Factors, list[int]]):
    """A prompt about each video of train, and the loss of the same prompt about those of val.

    Args:
        family: the loaded model.
        samples: of train and val.
        config: the recipe.
        seed: decides the factors, the order of the videos and dropout.

    Raises:
        WaverError: positions of the model's tokens have several axes, or no layer has a name of ``targets``.
    """

    def __init__(self, family: TransformersModel, samples: Sequence[Sample], config: FinetuneConfig, seed: int) -> None:
        if type(family).positions is not TransformersModel.positions:
            remedy = "the positions of this model's tokens have several axes; give another model, such as video_llava"
            raise WaverError(f"zeroshot.finetune.models: {remedy}")
        torch.manual_seed(seed_for("factors", seed))
        targets = {"rank": config.rank, "alpha": config.alpha, "dropout": config.dropout, "targets": config.targets}
        self.settings = LoraSettings(**targets)
        course = Course(config.epochs, config.patience, "log_likelihood", config.clip)
        undefined = "the loss on val is not a number; lower zeroshot.finetune.lr"
        super().__init__(Factors(family.model, self.settings), course, undefined, "lower zeroshot.finetune.lr")
        self.device, self._config, self._seed, self._pad = torch_device(), config, seed, family.tokenizer.pad_token_id
        self._of = {split: [one for one in samples if one.split == split] for split in ("train", "val")}
        self._classes = [np.array([n for n, one in enumerate(self._of["train"]) if one.label == k]) for k in (0, 1)]
        self.steps = math.ceil(2 * max(map(len, self._classes)) / config.batch)
        if config.checkpointing:
            family.model.activation_checkpointing_enable({"use_reentrant": False})

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW over the factors."""
        config = self._config
        return torch.optim.AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)

    def rate(self, step: int) -> float:
        """Up on a line, then down on half a cosine."""
        return step_rate(self._config, step, self._config.epochs * self.steps)

    def begin_epoch(self, epoch: int) -> None:
        """Dropout follows from the seed and the epoch."""
        torch.manual_seed(seed_for("dropout", self._seed, epoch))

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Numbers of videos of train, of both classes equally many: those of the rarer one come several times."""
        drawn = np.random.default_rng(seed_for("order", self._seed, epoch))
        most = max(map(len, self._classes))
        order = drawn.permutation(np.concatenate([_repeated(own, most, drawn) for own in self._classes]))
        for start in range(0, len(order), self._config.batch):
            yield order[start : start + self._config.batch].tolist()

    def backward(self, batch: list[int], meter: Meter) -> None:
        """As many forward passes as the memory needs; their gradients add up to those of the mean loss."""
        samples = [self._of["train"][number] for number in batch]
        for part in _parts(samples, self._config.at_once):
            loss = self._loss(part)
            (loss / len(samples)).backward()  # type: ignore[no-untyped-call]
            meter.add(loss.detach(), len(part))

    @torch.no_grad()
    def validate(self, network: Factors) -> dict[str, float]:
        """Mean loss of the videos of val, and its negative, which chooses the epoch."""
        network.eval()
        total = sum(float(self._loss(part)) for part in _parts(self._of["val"], self._config.at_once))
        loss = total / len(self._of["val"])
        return {"val_loss": loss, "val_log_likelihood": -loss}

    def _loss(self, samples: Sequence[Sample]) -> Tensor:
        """Sum of the losses of some videos."""
        wanted = torch.tensor([one.first[one.label] for one in samples], device=self.device)
        return cross_entropy(self._logits(samples).float(), wanted, reduction="sum")

    def _logits(self, samples: Sequence[Sample]) -> Tensor:
        """Of the first token of the answer, [B, V]; prompts are padded on the left, so that it comes last."""
        length = max(len(one.ids) for one in samples)
        rows = [[self._pad or 0] * (length - len(one.ids)) + one.ids for one in samples]
        ids = torch.tensor(rows, device=self.device)
        there = torch.tensor([[0] * (length - len(one.ids)) + [1] * len(one.ids) for one in samples])
        mask = there.to(self.device)
        pictures = {
            name: torch.cat([one.pictures[name] for one in samples]).to(self.device) for name in samples[0].pictures
        }
        output = self.network.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=text_positions(ids, mask.bool()),
            logits_to_keep=1,
            use_cache=False,
            **pictures,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def _repeated(numbers: np.ndarray[Any, Any], wanted: int, drawn: np.random.Generator) -> np.ndarray[Any, Any]:
    """All numbers as often as they fit, and a drawn rest."""
    whole, rest = divmod(wanted, len(numbers))
    return np.concatenate([np.tile(numbers, whole), drawn.permutation(numbers)[:rest]])


def _parts(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    return (samples[start : start + size] for start in range(0, len(samples), size))
