"""Training of frame-level models.

Recipe (2026 paper, training details): cross entropy on every frame, SGD with Nesterov momentum .9, learning rate
times .9 every 50 epochs down to 1e-7, the epoch with the best validation score kept.

What the config may add, and by default does not: a rate that warms up and changes with the steps, clipped gradients,
a moving average of the weights in place of the last ones, an F1 term, fewer windows without A/H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from waver.config.training import TrainConfig
from waver.device import autocast
from waver.evaluation.metrics import average_precision, average_precision_paper, avgf1
from waver.models.base import FusionModel
from waver.models.frame_layer import frame_layer, layer_inputs
from waver.provenance import seed_for
from waver.training.corpus import VideoSample
from waver.training.frames.annotated_cues import CERTAINTY, CUES, named_cues
from waver.training.frames.predict import probability, video_logits
from waver.training.frames.windows import Batch, batches, drawn, epoch_order, in_steps, repeat_last, windows_of
from waver.training.losses import class_weights
from waver.training.lr_schedule import step_rates
from waver.training.optim import make_optimiser
from waver.training.trainer import Course, Meter, Training

CUE_HEAD = "cue_head"
"""Name of the layer that predicts cues; it is trained with the model and not kept."""


class FrameTraining(Training[FusionModel, Batch]):
    """Windows of videos, a loss over their frames, scores over the frames of all validation videos.

    Args:
        model: already initialised.
        train: normalised, labelled videos to train on, thinned to steps.
        val: normalised, labelled videos to choose the epoch with, likewise.
        config: the recipe.
        seed: of the order of windows and of dropout.

    Raises:
        WaverError: no window has A/H, and windows without are to be left out; or classes are to be weighted, and one
            is missing.
    """

    def __init__(
        self,
        model: FusionModel,
        train: Sequence[VideoSample],
        val: Sequence[VideoSample],
        config: TrainConfig,
        seed: int,
    ) -> None:
        undefined = (
            f"{config.select} is undefined on the val split (it has no frame with A/H); "
            "set train.select to AVGF1 or add val videos with A/H"
        )
        course = Course(config.epochs, config.patience, config.select, config.clip, config.ema)
        super().__init__(model, course, undefined, "lower train.lr or set train.precision to fp32")
        if config.padding == "repeat":
            window_steps, _ = in_steps(config)
            train = [repeat_last(sample, window_steps) for sample in train]
            val = [repeat_last(sample, window_steps) for sample in val]
        self.train, self.val, self.config, self.seed = train, val, config, seed
        self.windows = windows_of([sample.frames for sample in train], *in_steps(config))
        self.weight = class_weights(train).to(self.device) if config.class_weight else None
        self.cues = named_cues(train) if config.cue_share else np.zeros(0, np.int64)
        if len(self.cues):
            torch.manual_seed(seed_for("train", seed, "cues"))
            model.add_module(CUE_HEAD, nn.Linear(frame_layer(model).in_features, len(self.cues)))
        self.most_certain = _most_certain(train) if config.certainty else 0.0
        self.steps = math.ceil(len(self._order(1)) / config.batch)

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD or AdamW over all parameters."""
        return make_optimiser(self.network, self.config)

    def rate(self, step: int) -> float:
        """By epochs or by steps, as the config says."""
        return step_rates(self.config, self.steps)(step)

    def begin_epoch(self, epoch: int) -> None:
        """Seed dropout, and announce the epoch to the model."""
        torch.manual_seed(seed_for("train", self.seed, "epoch", epoch))
        self.network.begin_epoch(epoch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Windows side by side, in the order of the epoch."""
        for batch in batches(self.train, self.windows, self.config.batch, self._order(epoch)):
            yield batch.to(self.device)

    def backward(self, batch: Batch, meter: Meter) -> None:
        """One forward pass; the loss is the mean over the frames."""
        with autocast(self.device, self.config.precision):
            share = self.config.f1_share
            given = (batch.streams, batch.label, batch.mask, self.weight, batch.affect, share)
            loss_of: Callable[..., Tensor] = self.network.loss
            if self.most_certain:  # a fusion of somebody's own need not know of weights of frames
                loss_of = partial(loss_of, of_frame=self._frame_weights(batch))
            if len(self.cues):
                with layer_inputs(frame_layer(self.network)) as hidden:
                    loss = loss_of(*given)
                loss = loss + self.config.cue_share * self._cue_loss(hidden[0], batch)
            else:
                loss = loss_of(*given)
        loss.backward()  # type: ignore[no-untyped-call]
        frames = batch.mask.sum()
        meter.add(loss.detach() * frames, frames)

    def _frame_weights(self, batch: Batch) -> Tensor:
        """By certainty where there is A/H, 1 elsewhere, float32 [B, T]."""
        certainty = batch.annotated[CERTAINTY][..., 0]
        return torch.where(certainty.isfinite(), certainty / self.most_certain, 1.0)

    def _cue_loss(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Binary cross entropy of the cues in the frames of segments that have any; 0 without such a frame.

        Args:
            hidden: what the layer of the logits was given, [B, S, C]; a step of several frames stands for all of them.
            batch: with what the annotators named.
        """
        target = batch.annotated[CUES][..., self.cues]
        known = target[..., 0].isfinite() & batch.mask
        frames = target.shape[1]
        hidden = hidden.repeat_interleave(math.ceil(frames / hidden.shape[1]), 1)[:, :frames]
        logits: Tensor = self.network.get_submodule(CUE_HEAD)(hidden[known]).float()
        if not len(logits):
            return logits.sum()
        return nn.functional.binary_cross_entropy_with_logits(logits, target[known])

    def without_cue_head(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the model alone; the model loses the head as well."""
        if len(self.cues):
            delattr(self.network, CUE_HEAD)
        return {name: values for name, values in state.items() if not name.startswith(f"{CUE_HEAD}.")}

    def validate(self, network: FusionModel) -> dict[str, float]:
        """Loss and scores over the pooled steps of the validation videos."""
        return validate(network, self.val, self.config)

    @property
    def warming(self) -> bool:
        """Whether the model does not learn A/H yet."""
        return self.network.warming

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Numbers of the windows of an epoch, in the order of training."""
        ratio = self.config.undersample
        if not ratio:
            return epoch_order(len(self.windows), self.seed, epoch)
        label = [sample.label for sample in self.train]
        positive = np.array([label[window.sample][window.start : window.stop].any() for window in self.windows])
        kept = drawn(positive, ratio, self.seed, epoch)
        return kept[epoch_order(len(kept), self.seed, epoch)]


def _most_certain(train: Sequence[VideoSample]) -> float:
    """The greatest certainty of a training segment; 0 where none is known."""
    return max((float(np.nanmax(one.annotated[CERTAINTY], initial=0)) for one in train if one.annotated), default=0.0)


def validate(model: FusionModel, val: Sequence[VideoSample], config: TrainConfig) -> dict[str, float]:
    """Loss and scores over the pooled steps of labelled videos; a score without positives is nan."""
    model.eval()
    device = next(model.parameters()).device
    logits = np.concatenate([video_logits(model, sample, *in_steps(config), device) for sample in val])
    label = np.concatenate([sample.label for sample in val])
    chance = probability(logits)
    own = np.where(label == 1, chance, 1 - chance)
    precision, f1 = average_precision(chance, label), avgf1(chance, label)
    return {
        "val_loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "val_AP": precision,
        "val_AP_paper": average_precision_paper(chance, label),
        "val_AVGF1": f1,
        "val_AVGF1_AP": (f1 + precision) / 2,
    }
