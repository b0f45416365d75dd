import pytest
import torch

from waver.errors import WaverError
from waver.features.audio.vggish import VGGish, load_vggish


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = VGGish().eval().requires_grad_(False)
    for parameter in network.parameters():
        # He's scale lets the input through; without it the biases alone decide the embedding
        parameter.mul_(6**0.5 if parameter.ndim > 1 else 0)
    return network


@pytest.mark.slow
def test_it_has_the_published_number_of_parameters(model):
    assert sum(p.numel() for p in model.parameters()) == 72_141_184


def test_parameters_carry_torchvggishs_names(model):
    convolutions = {f"features.{i}" for i in (0, 3, 6, 8, 11, 13)}
    linears = {f"embeddings.{i}" for i in (0, 2, 4)}
    assert {name.rpartition(".")[0] for name in model.state_dict()} == convolutions | linears


def test_an_embedding_keeps_its_sign_and_its_patch(model):
    batch = torch.randn(2, 1, 96, 64)
    found = model(batch)
    assert found.shape == (2, 128)
    assert not torch.allclose(found[0], found[1], rtol=0.1)
    assert (found < 0).any(), "no ReLU after the last layer"
    torch.testing.assert_close(model(batch[1:])[0], found[1], rtol=1e-3, atol=1e-5)


def test_the_channel_is_the_fastest_axis_of_the_flattened_maps(model):
    batch = torch.randn(1, 1, 96, 64)
    maps = model.features(batch)
    assert maps.shape == (1, 512, 6, 4)
    flat = torch.stack([maps[0, :, row, column] for row in range(6) for column in range(4)]).flatten()
    torch.testing.assert_close(model.embeddings(flat[None]), model(batch), rtol=1e-3, atol=1e-5)


def test_a_wrong_patch_is_refused(model):
    with pytest.raises(ValueError, match="expected"):
        model(torch.zeros(1, 1, 64, 96))


@pytest.mark.slow
def test_weights_load_and_are_frozen(model, tmp_path):
    extra = {"pproc.pca_means": torch.zeros(128)}
    torch.save(model.state_dict() | extra, tmp_path / "vggish.pth")
    loaded = load_vggish(tmp_path / "vggish.pth")
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_other_weights_are_told_by_name(model, tmp_path):
    state = {name: value for name, value in model.state_dict().items() if name.endswith("bias")}
    state = state | {"head.bias": torch.zeros(2), "features.0.bias": torch.zeros(3)}
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WaverError) as caught:
        load_vggish(tmp_path / "other.pth")
    for part in ("missing features.0.weight", "unknown head.bias", "features.0.bias is (3,), not (64,)"):
        assert part in str(caught.value)


def test_a_file_that_is_no_state_dict_is_told(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"not weights")
    with pytest.raises(WaverError, match="cannot be read"):
        load_vggish(tmp_path / "x.pth")
