"""Every registered model is of the base class of its kind, and what it says of its hooks agrees with them."""

import inspect

import pytest
import torch
from torch import nn

from waver.errors import WaverError
from waver.models.base import AnswerClassifier, AnswerModel, FusionModel, TemporalModel, Undecayed, VideoModel
from waver.models.losses import frame_loss
from waver.models.text.network import NeuralAnswerModel
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS, FUSIONS, TEMPORALS, VIDEO_MODELS

KINDS = (
    (FUSIONS, FusionModel),
    (TEMPORALS, TemporalModel),
    (VIDEO_MODELS, VideoModel),
    (ANSWER_MODELS, AnswerModel),
)
METHODS = [pytest.param(load(table, name), base, id=name) for table, base in KINDS for name in table]
STREAMS = {"visual": torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0))}
MASK, LABEL = torch.ones(2, 30, dtype=torch.bool), torch.arange(60).reshape(2, 30) % 2


class Linear(FusionModel):
    """A fusion that overrides nothing that it need not."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)

    def forward(self, streams, mask):
        return self.layer(streams["visual"])


class Mean(VideoModel):
    """A video model that overrides nothing."""

    def __init__(self):
        super().__init__()
        self.config = None

    def forward(self, logits):
        return logits


@pytest.mark.parametrize(("method", "base"), METHODS)
def test_it_is_of_its_kind_and_its_hooks_take_what_the_loops_give(method, base):
    assert issubclass(method, base)
    assert not inspect.isabstract(method)
    for name, hook in inspect.getmembers(base, inspect.isfunction):
        if name not in vars(base) or name.startswith("_"):
            continue
        given, own = (list(inspect.signature(f).parameters) for f in (hook, getattr(method, name)))
        assert own == given, f"{method.__name__}.{name}"


@pytest.mark.parametrize("name", FUSIONS)
def test_a_fusion_explains_itself_exactly_where_it_says_so(name):
    method = load(FUSIONS, name)
    assert method.explains == (method.explain is not FusionModel.explain)
    config = method_config(FUSIONS, name, {"channels": {"visual": [4, 4]}})
    model = method({"visual": 3}, config).eval()
    if not method.explains:
        with pytest.raises(WaverError, match="does not explain itself"):
            model.explain(STREAMS, MASK)
    else:
        assert all(track.shape[:2] == (2, 30) for track in model.explain(STREAMS, MASK).values())
    assert not model.has_video_head
    with pytest.raises(WaverError, match="has no head for whole videos"):
        model.video_margin(STREAMS, MASK)


@pytest.mark.parametrize("name", FUSIONS)
def test_the_loop_may_begin_any_epoch_of_a_fusion_and_learn_by_its_loss(name):
    method = load(FUSIONS, name)
    config = method_config(FUSIONS, name, {"channels": {"visual": [4, 4]}})
    model = method({"visual": 3}, config).train()
    model.begin_epoch(1)
    assert model.warming == (method.affect_epochs(config) >= 1)
    model.begin_epoch(method.affect_epochs(config) + 1)
    assert model.warming is False
    loss = model.loss(STREAMS, LABEL, MASK, torch.tensor([0.8, 1.2]), {}, 0.5)
    assert loss.shape == ()
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().any() for p in model.parameters())


def test_the_default_loss_of_a_fusion_is_the_recipes():
    model, weight = Linear(), torch.tensor([0.8, 1.2])
    expected = frame_loss(model(STREAMS, MASK), LABEL, MASK, weight, 0.5)
    assert torch.equal(model.loss(STREAMS, LABEL, MASK, weight, None, 0.5), expected)
    assert not torch.equal(model.loss(STREAMS, LABEL, MASK), expected)
    assert (Linear.whole_video, Linear.explains, model.warming, model.has_video_head) == (False, False, False, False)
    assert (Linear.taught_affect(None), Linear.affect_epochs(None)) == (False, 0)


def test_a_video_model_learns_by_the_cross_entropy_and_has_no_body_unless_it_says_otherwise():
    logits, label = torch.tensor([[0.3, 1.0], [2.0, -1.0]]), torch.tensor([1.0, 0.25])
    own = logits.log_softmax(1)
    expected = -(label * own[:, 1] + (1 - label) * own[:, 0]).mean()
    model = Mean()
    assert torch.allclose(model.loss((logits,), label), expected)
    assert model.learns
    assert list(model.body_parameters()) == []


def test_a_class_that_lacks_what_its_kind_must_offer_cannot_be_built():
    class Nothing(FusionModel):
        pass

    class Silent(AnswerModel):
        pass

    for unfinished in (Nothing, Silent):
        with pytest.raises(TypeError, match="abstract"):
            unfinished()


@pytest.mark.parametrize("name", ANSWER_MODELS)
def test_a_model_of_answers_is_fitted_in_one_go_or_trained_by_epochs(name):
    method = load(ANSWER_MODELS, name)
    assert issubclass(method, AnswerClassifier) != issubclass(method, NeuralAnswerModel)
    assert method.name == name
    if issubclass(method, NeuralAnswerModel):
        assert {"epochs", "patience", "batch"} <= set(method.Config.model_fields)


def test_modules_that_name_parameters_are_found_at_any_depth():
    class Part(nn.Module):
        UNDECAYED = ("table",)

        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.zeros(2, 2))

    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Part()))
    assert [type(part) for part in model.modules() if isinstance(part, Undecayed)] == [Part]
