"""The moving average of weights."""

import copy

import pytest
import torch
from torch import nn

from waver.training.ema import ema_of


def model(value=0.0):
    made = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(made[0].weight, value)
    return made


def test_it_is_the_recursion_with_a_growing_decay():
    network = model(1.0)
    ema, expected = ema_of(network, 0.8), 1.0
    for step in range(60):
        nn.init.constant_(network[0].weight, float(step))
        ema.update_parameters(network)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert ema.module[0].weight.item() == pytest.approx(expected, rel=1e-5)
    # in the end the mean age of a weight is decay / (1 - decay) steps
    assert expected == pytest.approx(59 - 0.8 / 0.2, abs=0.01)


def test_counts_are_taken_as_they_are_and_running_statistics_averaged():
    network = model()
    ema = ema_of(network, 0.5)
    network[1].num_batches_tracked.fill_(7)
    network[1].running_mean.fill_(10.0)
    ema.update_parameters(network)
    assert int(ema.module[1].num_batches_tracked) == 7
    assert float(ema.module[1].running_mean) == pytest.approx(9.0)


def test_the_network_keeps_its_own_weights_and_begins_with_them():
    network = model(1.0)
    before = copy.deepcopy(network.state_dict())
    ema = ema_of(network, 0.9)
    assert all(torch.equal(value, before[name]) for name, value in ema.module.state_dict().items())
    nn.init.constant_(network[0].weight, 3.0)
    ema.update_parameters(network)
    assert network[0].weight.item() == 3.0
    assert ema.module[0].weight.item() == pytest.approx(0.1 * 1.0 + 0.9 * 3.0)


def test_a_state_brings_weights_and_decay_back():
    network = model(1.0)
    first, second = ema_of(network, 0.9), ema_of(model(5.0), 0.9)
    for value in (2.0, 4.0):
        nn.init.constant_(network[0].weight, value)
        first.update_parameters(network)
    second.load_state_dict(first.state_dict())
    for ema in (first, second):
        ema.update_parameters(network)
    assert torch.equal(first.module[0].weight, second.module[0].weight)
    assert torch.equal(first.n_averaged, second.n_averaged)
