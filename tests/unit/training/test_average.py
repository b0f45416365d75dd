"""The moving average of weights."""

import pytest
import torch
from torch import nn

from waver.training.average import MovingAverage


def model(value=0.0):
    made = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(made[0].weight, value)
    return made


def test_it_is_the_recursion_with_a_growing_decay():
    network = model(1.0)
    average, expected = MovingAverage(network, 0.8), 1.0
    for step in range(60):
        nn.init.constant_(network[0].weight, float(step))
        average.update(network)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert float(average.weights()["0.weight"]) == pytest.approx(expected, rel=1e-5)
    # in the end the mean age of a weight is decay / (1 - decay) steps
    assert expected == pytest.approx(59 - 0.8 / 0.2, abs=0.01)


def test_counts_are_taken_as_they_are_and_running_statistics_averaged():
    network = model()
    average = MovingAverage(network, 0.5)
    network[1].num_batches_tracked.fill_(7)
    network[1].running_mean.fill_(10.0)
    average.update(network)
    assert int(average.weights()["1.num_batches_tracked"]) == 7
    assert float(average.weights()["1.running_mean"]) == pytest.approx(9.0)


def test_the_network_gets_its_own_weights_back():
    network = model(1.0)
    average = MovingAverage(network, 0.9)
    nn.init.constant_(network[0].weight, 3.0)
    with average.shown(network):
        assert network[0].weight.item() == 1.0
    assert network[0].weight.item() == 3.0


def test_state_and_load_are_inverse():
    network = model(1.0)
    first, second = MovingAverage(network, 0.9), MovingAverage(model(5.0), 0.9)
    for value in (2.0, 4.0):
        nn.init.constant_(network[0].weight, value)
        first.update(network)
    second.load(first.state())
    for average in (first, second):
        average.update(network)
    assert torch.equal(first.weights()["0.weight"], second.weights()["0.weight"])
