"""What every registered video-level model must do, by the contract in ``waver.models.base``."""

import pytest
import torch

from tiny_clip import write_clip
from waver.config.videos import VideosConfig
from waver.records import imported, load, method_config
from waver.registry import VIDEO_MODELS
from waver.training.videos.training import smoothed

SMALL = {
    "emoclip": {"frames": 2, "depth": 1, "heads": 2},
    "discrepancy": {"size": 8, "heads": 2, "feedforward": 8, "hidden": 8},
    **{f"focalnet_{size}": {"frames": 2, "width": 4, "depths": (1, 1)} for size in ("tiny", "small", "base")},
}
SIZES = {"visual": 7, "text": 5, "question": 9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"))


def built(name, folder):
    torch.manual_seed(0)
    method, config = load(VIDEO_MODELS, name), method_config(VIDEO_MODELS, name, SMALL.get(name, {}))
    if VIDEO_MODELS[name].inputs == "features":
        return method(SIZES, config)
    return method(config, folder) if VIDEO_MODELS[name].asset else method(config)


def inputs(name, videos=2):
    generator = torch.Generator().manual_seed(1)
    if VIDEO_MODELS[name].inputs == "faces":
        return (torch.rand(videos, 2, 3, 224, 224, generator=generator),)
    steps = {key: 1 if key == "question" else 6 for key in SIZES}
    streams = {key: torch.randn(videos, steps[key], size, generator=generator) for key, size in SIZES.items()}
    return streams, {key: torch.ones(videos, steps[key], dtype=torch.bool) for key in SIZES}


def test_what_the_records_name_is_there():
    loaders = [record.loader for record in VIDEO_MODELS.values() if record.loader]
    assert len(set(loaders)) == 2
    assert all(callable(imported(loader)) for loader in loaders)
    assert all(VideosConfig().recipe(name).optimiser for name in VIDEO_MODELS)


@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_it_takes_what_the_registry_says_and_gives_two_logits(name, folder):
    model = built(name, folder).eval()
    assert model.inputs == VIDEO_MODELS[name].inputs
    assert model.config == method_config(VIDEO_MODELS, name, model.config.model_dump())
    with torch.no_grad():
        logits = model(*inputs(name))
        assert torch.equal(logits, model(*inputs(name)))
    assert logits.shape == (2, 2)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_it_learns_by_its_loss(name, folder):
    model = built(name, folder).train()
    loss = model.loss(inputs(name), smoothed(torch.tensor([0.0, 1.0]), 0.1))
    loss.backward()
    learning = [p for p in model.parameters() if p.requires_grad]
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    assert sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in learning) > len(learning) / 2


@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_equal_seeds_give_equal_networks(name, folder):
    first, second = built(name, folder).state_dict(), built(name, folder).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
