"""Terms of the conflict model's loss; each is a mean, and leaves padding out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from waver.models.soft_f1 import soft_macro_f1


def balanced_frame_loss(
    logits: Tensor,
    label: Tensor,
    mask: Tensor,
    weight: Tensor | None,
    f1_share: float,
    of_frame: Tensor | None = None,
) -> Tensor:
    """Cross entropy of the frames and 1 - soft macro F1 over the batch.

    Args:
        logits: [B, T, 2].
        label: int64 [B, T], 0 or 1.
        mask: bool [B, T]; False on padding.
        weight: float32 [2], inverse frequency of the classes; the positive class then weighs the square root
            of their ratio, a compromise between recall and calibration.
        f1_share: factor of the F1 term.
        of_frame: float32 [B, T], weight of each frame in the cross entropy; None: all the same.
    """
    margin = (logits[..., 1] - logits[..., 0])[mask].float()
    truth = label[mask].float()
    positive = None if weight is None else (weight[1] / weight[0]).sqrt()
    if of_frame is None:
        loss = binary_cross_entropy_with_logits(margin, truth, pos_weight=positive)
    else:
        own = of_frame[mask]
        loss = binary_cross_entropy_with_logits(margin, truth, own, pos_weight=positive, reduction="sum") / own.sum()
    return loss + f1_share * (1 - soft_macro_f1(margin.sigmoid(), truth)) if f1_share else loss


def smooth_loss(margin: Tensor, mask: Tensor, most: float = 4.0) -> Tensor:
    """Squared change of the log probabilities from one step to the next (MS-TCN, Farha and Gall, CVPR 2019).

    Args:
        margin: [B, S].
        mask: bool [B, S].
        most: a change counts as no more than this.
    """
    both = mask[:, 1:] & mask[:, :-1]
    if not bool(both.any()):
        return margin.new_zeros(())
    chance = torch.stack([logsigmoid(margin), logsigmoid(-margin)])
    # the step before is a target, not something to be moved
    change = (chance[..., 1:] - chance[..., :-1].detach()).abs().clamp(max=most).square()
    return change[:, both].mean()


def conflict_loss(
    distance: Mapping[tuple[str, str], Tensor], share: Tensor, mask: Tensor, starts: Mapping[tuple[str, str], float]
) -> Tensor:
    """Modalities should point the same way where there is no A/H, and apart where there is.

    Args:
        distance: pair -> (1 - cosine) / 2, [B, S].
        share: float32 [B, S], share of a step's frames that are A/H.
        mask: bool [B, S].
        starts: pair -> where its gate starts, its weight in the mean of the distances.
    """
    if not distance:
        return share.new_zeros(())
    weights = torch.tensor([max(starts[pair], 1e-6) for pair in distance], device=share.device)
    mean = torch.stack(list(distance.values()), -1) @ (weights / weights.sum())
    cost = share * (0.5 - mean).clamp(min=0) + (1 - share) * mean
    return cost[mask].mean()


def affect_loss(affect: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor | None:
    """Binary cross entropy of affect tracks where there is a target; None where there is none at all.

    Args:
        affect: modality -> [B, S, 3] in [0, 1].
        targets: modality -> [B, S, 3] in [0, 1], nan where nothing is known; modalities may be missing.
    """
    terms = []
    for name, target in targets.items():
        known = target.isfinite()
        if name in affect and bool(known.any()):
            own, goal = affect[name][known].clamp(1e-6, 1 - 1e-6), target[known]
            terms.append(-(goal * own.log() + (1 - goal) * (1 - own).log()).mean())
    return torch.stack(terms).mean() if terms else None


def video_loss(margin: Tensor, label: Tensor, smoothing: float = 0.05) -> Tensor:
    """Cross entropy of videos, margin [B] and label [B], with smoothed labels."""
    return binary_cross_entropy_with_logits(margin.float(), label.float() * (1 - smoothing) + smoothing / 2)
