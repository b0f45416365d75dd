"""Losses over frames that any fusion may learn by."""

from __future__ import annotations

from torch import Tensor, nn

from waver.models.soft_f1 import soft_macro_f1


def frame_cross_entropy(
    logits: Tensor, label: Tensor, mask: Tensor, weight: Tensor | None = None, of_frame: Tensor | None = None
) -> Tensor:
    """Cross entropy, mean over the frames that are not padding.

    Args:
        logits: [B, T, 2].
        label: int64 [B, T].
        mask: bool [B, T]; False on padding.
        weight: float32 [2], weight of each class; the mean is then a weighted one.
        of_frame: float32 [B, T], weight of each frame, likewise.
    """
    if of_frame is None:
        return nn.functional.cross_entropy(logits[mask].float(), label[mask], weight)
    own = of_frame[mask] if weight is None else of_frame[mask] * weight[label[mask]]
    each = nn.functional.cross_entropy(logits[mask].float(), label[mask], reduction="none")
    return (own * each).sum() / own.sum()


def frame_loss(
    logits: Tensor,
    label: Tensor,
    mask: Tensor,
    weight: Tensor | None,
    f1_share: float,
    of_frame: Tensor | None = None,
) -> Tensor:
    """Cross entropy of the frames and, where its factor is not 0, 1 - soft macro F1 over the batch.

    Args:
        logits: [B, T, 2].
        label: int64 [B, T].
        mask: bool [B, T]; False on padding.
        weight: float32 [2], weight of each class in the cross entropy.
        f1_share: factor of the F1 term.
        of_frame: float32 [B, T], weight of each frame in the cross entropy; None: all the same.
    """
    loss = frame_cross_entropy(logits, label, mask, weight, of_frame)
    if not f1_share:
        return loss
    margin = (logits[..., 1] - logits[..., 0])[mask].float()
    return loss + f1_share * (1 - soft_macro_f1(margin.sigmoid(), label[mask].float()))
