"""ACPL: subject-based adaptation with confident pseudo-labels (Zeeshan et al., FG 2024, arXiv 2312.05632)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Needs, Network, SourceView, TargetView
from waver.adaptation.methods.uda.mmd import align
from waver.adaptation.methods.uda.paired_batches import UdaConfig

_LEAST_THRESHOLD = 0.5


class Acpl:
    """MMD, with a cross-entropy on the target frames that the model is confident about.

    The confident frames are chosen from all of T_tr every few epochs, by a threshold that falls; in the authors'
    release they are chosen from those of the time before, so that their number can only shrink. The confidence is the
    mean of the frame's and its mirror image's; packed features have none, and it is the frame's own. The first stage of
    the authors, which
    aligns source participants with each other, is left out: all methods start from the same source model.
    """

    class Config(UdaConfig):
        """Weight, threshold and refresh of the dataset paper (appendix E.3); the threshold's fall of the release."""

        pseudo: float = Field(0.01, ge=0, description="weight of the cross-entropy with the pseudo-labels")
        threshold: float = Field(0.95, ge=0, le=1, description="confidence that a frame must exceed at first")
        fall: float = Field(0.02, ge=0, description="what the threshold loses at each refresh")
        refresh: int = Field(4, ge=1, description="epochs between two choices of confident frames")
        aligned: Literal["confident", "all"] = Field(
            "confident", description="target frames of the discrepancy: the confident ones (release), or all"
        )

    needs: ClassVar[Needs] = Needs(source=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: TargetView, source: SourceView | None, seed: int) -> Network:
        """Copy of the network with all of it adapted."""
        assert source is not None
        config = self.config
        every = torch.arange(len(target.features))
        labels, mirrored = torch.full_like(every, -1), target.mirrored()

        def choose(adapted: Network, epoch: int) -> Tensor:
            nonlocal labels
            if epoch % config.refresh == 0:
                seen = [view.predict(adapted) for view in (target, mirrored) if view is not None]
                labels = confident_labels(seen, self._threshold(epoch // config.refresh))
                adapted.record_labels(labels)
            chosen = torch.nonzero(labels >= 0).squeeze(1)
            return every if config.aligned == "all" or len(chosen) < 2 else chosen

        def more(logits: Tensor, rows: Tensor) -> Tensor | None:
            sure = labels[rows] >= 0
            if not bool(sure.any()):
                return None
            return config.pseudo * functional.cross_entropy(logits[sure], labels[rows][sure])

        return align(model, target, source, config, seed, choose, more)

    def _threshold(self, refreshed: int) -> float:
        return max(self.config.threshold - refreshed * self.config.fall, _LEAST_THRESHOLD)


def confident_labels(versions: Sequence[Tensor], threshold: float) -> Tensor:
    """Class of each frame whose mean confidence over its versions exceeds the threshold, int64 [N]; -1 for the others.

    The class is that of the most confident version (the authors' release).

    Args:
        versions: logits float32 [N, K] of each version of the frames.
        threshold: 0 to 1.
    """
    confidence, label = torch.stack(list(versions)).softmax(dim=2).max(dim=2)
    surest = confidence.argmax(dim=0, keepdim=True)
    return torch.where(confidence.mean(dim=0) > threshold, label.gather(0, surest).squeeze(0), -1)
