"""Learning rates by step, and what weight decay acts on."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from waver.config.sections import TrainConfig
from waver.models.temporal.settings import SsmSettings, XlSettings
from waver.models.temporal.ssm import Ssm
from waver.models.temporal.xl import Xl
from waver.training.lr_schedule import learning_rate, lr_schedule, step_rate, step_rates
from waver.training.optim import make_optimiser

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


def rates(config, optimiser, epochs, steps):
    """Rates of every group at every step that a training takes, [steps of all epochs][groups]."""
    schedule, seen = lr_schedule(optimiser, step_rates(config, steps)), []
    for _ in range(epochs * steps):
        seen.append([group["lr"] for group in optimiser.param_groups])
        assert schedule.get_last_lr() == seen[-1]
        optimiser.step()
        schedule.step()
    return seen


def test_every_step_has_the_rate_of_the_schedule_to_the_last_bit():
    optimiser = make_optimiser(nn.Linear(3, 2), CONFIG.model_copy(update={"decay_vectors": False}))
    found = rates(CONFIG, optimiser, 40, 5)
    assert found == [[step_rate(CONFIG, step, 200)] * 2 for step in range(200)]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_with_epochs_every_step_of_one_has_its_rate(name):
    config = TrainConfig(optimiser=name, lr=3e-3, epochs=120)
    found = rates(config, make_optimiser(nn.Linear(3, 2), config), 120, 3)
    assert found == [[learning_rate(config, epoch)] for epoch in range(1, 121) for _ in range(3)]
    assert len({rate for (rate,) in found}) == {"sgd": 3, "adamw": 120}[name]


def test_a_group_with_a_factor_has_so_much_of_the_rate():
    slow, fast = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([{"params": [slow], "factor": 0.1}, {"params": [fast]}], lr=7.0)
    lr_schedule(optimiser, lambda step: 0.3)
    assert [group["lr"] for group in optimiser.param_groups] == [0.1 * 0.3, 0.3]


def test_a_schedule_goes_on_where_its_state_was_taken():
    config = CONFIG.model_copy(update={"epochs": 4})
    whole = rates(config, make_optimiser(nn.Linear(3, 2), config), 4, 5)
    optimiser = make_optimiser(nn.Linear(3, 2), config)
    first = lr_schedule(optimiser, step_rates(config, 5))
    for _ in range(7):
        optimiser.step()
        first.step()
    other = make_optimiser(nn.Linear(3, 2), config)
    second = lr_schedule(other, step_rates(config, 5))
    other.load_state_dict(optimiser.state_dict())
    second.load_state_dict(first.state_dict())
    for expected in whole[7:]:
        assert [group["lr"] for group in other.param_groups] == expected
        other.step()
        second.step()


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
