from types import SimpleNamespace

import numpy as np
import pytest
import torch

from waver.errors import WaverError
from waver.models.losses import frame_cross_entropy, frame_loss
from waver.training.losses import class_weights


def test_padding_has_no_loss():
    logits = torch.randn(2, 5, 2, requires_grad=True)
    label = torch.randint(0, 2, (2, 5))
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    loss = frame_cross_entropy(logits, label, mask)
    own = logits.log_softmax(-1).gather(-1, label[..., None])[..., 0]
    assert loss.item() == pytest.approx(-own[mask].mean().item(), abs=1e-6)
    loss.backward()
    assert (logits.grad[~mask] == 0).all()


def test_weights_are_inverse_frequencies():
    samples = [SimpleNamespace(label=np.array([0, 0, 0, 1], np.uint8)), SimpleNamespace(label=np.zeros(4, np.uint8))]
    assert class_weights(samples).tolist() == pytest.approx([8 / 14, 8 / 2])


def test_one_class_cannot_be_weighted():
    with pytest.raises(WaverError, match="lacks frames of one class"):
        class_weights([SimpleNamespace(label=np.zeros(4, np.uint8))])


def test_the_f1_term_is_added_to_the_cross_entropy_and_leaves_padding_out():
    logits = 30 * torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]])
    label = torch.tensor([[0, 1, 0, 1, 0]])
    mask = torch.tensor([[True, True, True, True, False]])
    plain = frame_cross_entropy(logits, label, mask)
    assert frame_loss(logits, label, mask, None, 0.0) == plain
    # of four frames one hit and one miss in each class: macro F1 is a half
    assert (frame_loss(logits, label, mask, None, 0.4) - plain).item() == pytest.approx(0.4 * 0.5, abs=1e-5)


def test_the_f1_term_has_a_gradient_towards_the_rarer_class():
    logits = torch.zeros(1, 10, 2, requires_grad=True)
    label = torch.tensor([[1] + [0] * 9])
    mask = torch.ones(1, 10, dtype=torch.bool)
    gain = [
        torch.autograd.grad(frame_loss(logits, label, mask, None, share), logits)[0][0, 0, 1] for share in (0.0, 1.0)
    ]
    assert gain[1] < gain[0] < 0
