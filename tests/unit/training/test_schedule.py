"""Learning rates by step, and what weight decay acts on."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from waver.config.sections import TrainConfig
from waver.models.temporal.settings import SsmSettings, XlSettings
from waver.models.temporal.ssm import Ssm
from waver.models.temporal.xl import Xl
from waver.training.schedule import Pace, make_optimiser, step_rate

CONFIG = TrainConfig(optimiser="adamw", schedule="steps", warmup=0.05, lr=5e-4, epochs=40)


def test_the_rate_rises_on_a_line_and_falls_on_half_a_cosine():
    steps = 1000
    rates = [step_rate(CONFIG, step, steps) for step in range(steps)]
    assert rates[0] == pytest.approx(5e-4 / 50)
    assert rates[24] == pytest.approx(2.5e-4)
    assert rates[49] == rates[50] == max(rates) == pytest.approx(5e-4)
    assert rates[50 + 475] == pytest.approx(2.5e-4, rel=1e-3)
    assert 1e-7 < rates[-1] < 1e-8 + 1.1e-7
    assert all(later < earlier for earlier, later in pairwise(rates[50:]))


def test_without_warm_up_it_falls_from_the_start():
    config = CONFIG.model_copy(update={"warmup": 0.0})
    assert step_rate(config, 0, 10) == pytest.approx(5e-4)
    assert step_rate(config, 1, 10) < 5e-4


def test_a_pace_gives_the_rate_to_every_group():
    optimiser = make_optimiser(nn.Linear(3, 2), CONFIG.model_copy(update={"decay_vectors": False}))
    pace = Pace(CONFIG, epoch=2, steps=5)
    assert pace.set(optimiser, 3) == step_rate(CONFIG, 8, 200)
    assert {group["lr"] for group in optimiser.param_groups} == {step_rate(CONFIG, 8, 200)}


def test_with_epochs_every_step_of_one_has_its_rate():
    config = TrainConfig(optimiser="adamw", lr=1e-3, epochs=4)
    optimiser = make_optimiser(nn.Linear(3, 2), config)
    assert len({Pace(config, 3, 9).set(optimiser, step) for step in range(9)}) == 1


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_may_leave_vectors_alone(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    config = TrainConfig(optimiser=name, lr=0.1, weight_decay=0.5, decay_vectors=False)
    optimiser = make_optimiser(model, config)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"0.weight"}
    (group,) = make_optimiser(model, TrainConfig(optimiser=name)).param_groups
    assert len(group["params"]) == 4


@pytest.mark.parametrize(
    ("stream", "named"),
    [
        (Ssm(3, SsmSettings(width=8, states=4, rank=2, layers=2)), {"log_rate"}),
        (Xl(3, XlSettings(width=8, hidden=16, heads=2, layers=2)), {"biases"}),
    ],
    ids=["ssm", "xl"],
)
def test_what_a_module_names_is_left_alone_too_whatever_its_dimensions(stream, named):
    model = nn.Sequential(stream, nn.Linear(8, 2))
    decayed, apart = make_optimiser(model, TrainConfig(decay_vectors=False)).param_groups
    assert (decayed["weight_decay"], apart["weight_decay"]) == (1e-4, 0.0)
    ids = {id(parameter) for parameter in apart["params"]}
    left = {name for name, parameter in model.named_parameters() if id(parameter) in ids}
    of_many = {name for name, parameter in model.named_parameters() if name.split(".")[-1] in named}
    assert of_many
    assert all(model.get_parameter(name).ndim > 1 for name in of_many)
    assert left == of_many | {name for name, parameter in model.named_parameters() if parameter.ndim < 2}
    assert len(decayed["params"]) + len(left) == len(list(model.parameters()))
    (group,) = make_optimiser(model, TrainConfig()).param_groups
    assert len(group["params"]) == len(list(model.parameters()))
