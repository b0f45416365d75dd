import pytest
import torch
from torch import nn

from parity.backbones import fixed_clips, fixed_focalnet
from waver.errors import WaverError
from waver.models.video.focalnet import DEVIATION, MEAN, Block, VideoFocalNet, load_focalnet_weights

PUBLISHED = [[-0.172865, -0.311772], [-0.137369, -0.288253]]
"""Logits of the published network for fixed weights and clips, recorded by ``tests/parity/backbones.py``."""


def small(seed=0, **options):
    torch.manual_seed(seed)
    sizes = {"width": 8, "depths": (1, 1)}
    return VideoFocalNet(VideoFocalNet.Config(**sizes, **options)).eval()


def clips(frames=8, batch=2):
    return torch.rand(batch, frames, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def loud(model):
    """At first the factors of a modulation are so small that time hardly counts."""
    for name, parameter in model.named_parameters():
        if "modulation" in name and parameter.dim() > 1:
            nn.init.normal_(parameter, std=1 / parameter[0].numel() ** 0.5)
    return model


@pytest.mark.parametrize(
    ("size", "classes", "parameters"),
    [
        ("tiny", 400, 49_553_272),
        ("small", 400, 88_735_168),
        ("base", 400, 157_389_216),
        ("tiny", 2, 49_247_210),
        ("small", 2, 88_429_106),
        ("base", 2, 156_981_266),
    ],
)
def test_it_has_the_published_number_of_parameters(size, classes, parameters):
    with torch.device("meta"):
        model = VideoFocalNet(VideoFocalNet.Config(size=size, classes=classes))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_the_logits_are_those_of_the_published_network():
    with torch.no_grad():
        logits = fixed_focalnet()(fixed_clips())
    torch.testing.assert_close(logits, torch.tensor(PUBLISHED), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_order_of_frames_counts():
    model, given = loud(small()), clips()
    shuffled = given[:, [3, 1, 7, 0, 2, 6, 4, 5]]
    assert (model(given) - model(shuffled)).abs().max() > 1e-4


@torch.no_grad()
def test_the_order_of_frames_counts_through_the_temporal_kernels_alone():
    model, given = loud(small()), clips()
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            middle = module.kernel_size[0] // 2
            module.weight[:, :, :middle] = 0
            module.weight[:, :, middle + 1 :] = 0
    shuffled = given[:, [3, 1, 7, 0, 2, 6, 4, 5]]
    torch.testing.assert_close(model(given), model(shuffled), atol=1e-6, rtol=0)


@torch.no_grad()
def test_eight_times_the_same_frame_has_no_order():
    model, given = loud(small()), clips(frames=1).expand(-1, 8, -1, -1, -1)
    assert torch.equal(model(given), model(given[:, torch.randperm(8)]))


@torch.no_grad()
def test_any_number_of_frames_passes_and_a_video_does_not_see_the_others():
    model = small()
    assert model(clips(frames=5, batch=1)).shape == (1, 2)
    given = clips()
    torch.testing.assert_close(model(given)[:1], model(given[:1]), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="clips has shape"):
        model(given.transpose(1, 2))


@torch.no_grad()
def test_pixels_are_normalised_inside():
    model, seen = small(), []
    model.patch_embed.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model(torch.tensor(MEAN)[:, None, None].expand(1, 8, 3, 64, 64) + torch.tensor(DEVIATION)[:, None, None])
    torch.testing.assert_close(seen[0], torch.ones_like(seen[0]))


@torch.no_grad()
def test_branches_are_skipped_in_training_only_and_more_often_later():
    model = small(drop_path=0.5)
    assert [block.skip for stage in model.layers for block in stage.blocks] == [0.0, 0.5]
    torch.manual_seed(0)
    block, maps = loud(Block(8, 0.5)), torch.randn(200, 2, 2, 2, 8)
    whole, thinned = block.eval()(maps), block.train()(maps)
    same = (thinned == maps).flatten(2).all(2)
    assert 0.15 < same.float().mean() < 0.35, "both branches skipped in a quarter of the frames"
    assert not torch.equal(whole, thinned)
    assert torch.equal(whole, block.eval()(maps))


def test_published_probabilities_of_skipping():
    for size, last in (("tiny", 0.2), ("small", 0.3), ("base", 0.5)):
        with torch.device("meta"):
            model = VideoFocalNet(VideoFocalNet.Config(size=size))
        skips = [block.skip for stage in model.layers for block in stage.blocks]
        assert skips[0] == 0
        assert skips[-1] == pytest.approx(last)
        assert skips == sorted(skips)


def test_every_parameter_learns_and_the_body_is_all_but_the_classes():
    model = loud(small()).train()
    model(clips()).square().sum().backward()
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.abs().any()]
    body = {id(parameter) for parameter in model.body_parameters()}
    left = [name for name, parameter in model.named_parameters() if id(parameter) not in body]
    assert left == ["head.weight", "head.bias"]


def test_kinetics_weights_fill_all_but_the_classes(tmp_path):
    theirs = small(seed=1, classes=400)
    torch.save({"model": theirs.state_dict(), "epoch": 120}, tmp_path / "kinetics.pth")
    model = small()
    head = model.head.weight.clone()
    assert load_focalnet_weights(model, tmp_path / "kinetics.pth") == ("head.",)
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.layers[1].blocks[0].mlp.fc1.weight, theirs.layers[1].blocks[0].mlp.fc1.weight)


def test_weights_of_ours_come_back_whole_and_of_another_size_are_refused(tmp_path):
    torch.save(small(seed=1).state_dict(), tmp_path / "ours.pt")
    model = small()
    assert load_focalnet_weights(model, tmp_path / "ours.pt") == ()
    assert torch.equal(model.head.weight, small(seed=1).head.weight)
    wide = VideoFocalNet(VideoFocalNet.Config(width=16, depths=(1, 1)))
    with pytest.raises(WaverError, match=r"does not hold Video-FocalNet tiny"):
        load_focalnet_weights(wide, tmp_path / "ours.pt")


def test_a_seed_decides_the_weights():
    first, second, other = small().state_dict(), small().state_dict(), small(seed=1).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["head.weight"], other["head.weight"])
