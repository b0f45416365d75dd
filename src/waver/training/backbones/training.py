"""Training of image backbones, on emotions and on frames.

Recipe (2026 paper, training details): cross entropy, SGD with Nesterov momentum .9, learning rate times .9 every
50 epochs down to 1e-7, ten times the rate for layers that begin at random, the epoch with the best validation score
kept. What the config may change, and by default does not: the rate on half a cosine, clipped gradients, no weight
decay on vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.config.backbone import ImageRecipe
from waver.device import autocast
from waver.errors import WaverError
from waver.features.faces.crops import central_input, network_input, random_crops
from waver.models.backbones.base import Classified, FaceSize
from waver.provenance import seed_for
from waver.training.backbones.image_cache import LabelledImages
from waver.training.backbones.tasks import ImageTask, Ints
from waver.training.lr_schedule import learning_rate
from waver.training.optim import decay_groups, optimiser_of
from waver.training.trainer import Course, Meter, Training

ImageStep = list[tuple[Tensor, Tensor]]
"""Images float32 [b, 3, c, c] and labels int64 [b] of the forward passes of one step."""


def make_optimiser(network: nn.Module, new: Sequence[nn.Parameter], config: ImageRecipe) -> torch.optim.Optimizer:
    """Optimiser with groups of old parameters and groups of ``new``, at ``config.new_layers`` times the rate."""
    fresh = {id(parameter) for parameter in new}
    groups = [
        {**group, "params": [p for p in group["params"] if (id(p) in fresh) is is_new], "factor": factor}
        for group in decay_groups(network, config)
        for is_new, factor in ((False, 1.0), (True, config.new_layers))
    ]
    return optimiser_of(groups, config)


class ImageTraining(Training[Classified, ImageStep]):
    """Single pictures, a loss over their classes, scores over the middle crops of the validation pictures.

    Args:
        network: already initialised.
        new: its parameters that begin at random.
        parts: ``train`` to train on, ``val`` to choose the epoch with.
        task: what is learned.
        config: the recipe.
        seed: of the pictures of an epoch, crops and dropout.
    """

    counted: ClassVar[str] = "pictures"

    def __init__(
        self,
        network: Classified,
        new: Sequence[nn.Parameter],
        parts: Mapping[str, LabelledImages],
        task: ImageTask,
        config: ImageRecipe,
        seed: int,
    ) -> None:
        undefined = (
            f"{task.select} is undefined on the val split (it has no frame with A/H and a face); "
            "add val videos with A/H"
        )
        course = Course(config.epochs, config.patience, task.select, config.clip)
        super().__init__(network, course, undefined, f"lower backbone.{task.name}.lr or set its precision to fp32")
        self.new, self.task, self.config, self.seed = new, task, config, seed
        self.train, self.val = parts["train"], parts["val"]
        # every epoch has as many pictures, whichever they are
        self.steps = len(portions(task.draw(self.train.label, np.random.default_rng(0)), config.batch))

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD or AdamW, with a higher rate of the new layers."""
        # convolutions run fastest with the channels last, on GPUs and CPUs alike
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return make_optimiser(self.network, self.new, self.config)

    def rate(self, step: int) -> float:
        """By epochs."""
        return learning_rate(self.config, 1 + step // self.steps)

    def begin_epoch(self, epoch: int) -> None:
        """Seed dropout."""
        torch.manual_seed(self._seed(epoch))

    def batches(self, epoch: int) -> Iterator[ImageStep]:
        """Steps of ``batch`` pictures, in the order of the epoch, each in passes of ``at_once``.

        Raises:
            WaverError: too few pictures.
        """
        generator = np.random.default_rng(self._seed(epoch))
        order = self.task.draw(self.train.label, generator)
        if len(order) < 2:
            raise WaverError(
                f"backbone.{self.task.name} has {len(order)} pictures to learn from; see the log for what was excluded"
            )
        size = self.network.backbone.INPUT
        return _prepared(
            self.train, portions(order, self.config.batch), self.config.at_once, size, generator, self.device
        )

    def backward(self, batch: ImageStep, meter: Meter) -> None:
        """The gradients of the passes add up to those of the mean loss over the step's pictures."""
        count = sum(len(label) for _, label in batch)
        total = torch.zeros((), device=self.device)
        for images, label in batch:
            with autocast(self.device, self.config.precision):
                logits = self.network(images.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits.float(), label, reduction="sum")
            (loss / count).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        meter.add(total, count)

    def validate(self, network: Classified) -> dict[str, float]:
        """The task's scores."""
        return self.task.score(logits_of(network, self.val, self.config), self.val.label)

    def _seed(self, epoch: int) -> int:
        return seed_for("backbone", self.task.name, self.seed, "epoch", epoch)


def portions(items: npt.NDArray[Any], size: int) -> list[npt.NDArray[Any]]:
    """Items in portions of like size, ``size`` or a little less; never of one, which no batch norm can work on."""
    return np.array_split(items, max(1, min(-(-len(items) // size), len(items) // 2)))


def _prepared(
    images: LabelledImages,
    steps: Sequence[Ints],
    at_once: int,
    size: FaceSize,
    generator: np.random.Generator,
    device: torch.device,
) -> Iterator[ImageStep]:
    """The steps of an epoch; the next one is gathered while the network works on this one."""

    def gather(items: Ints) -> list[list[Tensor]]:
        values = [items, *random_crops(len(items), generator, size)]
        passes = zip(*(portions(each, at_once) for each in values), strict=True)
        return [[*map(torch.from_numpy, (images.take(own), *crop, images.label[own]))] for own, *crop in passes]

    # one worker, so that the generator is drawn from in the order of the steps
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(gather, steps[0])
        for following in (*steps[1:], None):
            gathered = [[values.to(device) for values in part] for part in coming.result()]
            if following is not None:
                coming = worker.submit(gather, following)
            yield [
                (network_input(faces, top, left, mirrored, size), label)
                for faces, top, left, mirrored, label in gathered
            ]


def logits_of(network: Classified, images: LabelledImages, config: ImageRecipe) -> npt.NDArray[np.float32]:
    """Logits float32 [N, C] of the middle crops, in evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), config.at_once):
            faces = images.take(np.arange(start, min(start + config.at_once, len(images))))
            batch = central_input(torch.from_numpy(faces).to(device), network.backbone.INPUT)
            with autocast(device, config.precision):
                logits = network(batch.contiguous(memory_format=torch.channels_last))
            found.append(logits.float().cpu().numpy())
    return np.concatenate(found)
