import pytest
import torch

from waver.errors import WaverError
from waver.models.backbones.apvit import Apvit, ApvitSettings
from waver.models.backbones.base import Classified
from waver.models.backbones.ir50 import STAGES, Ir50
from waver.models.backbones.pretrained import load_backbone_weights
from waver.records import load
from waver.registry import BACKBONES


def built(name, seed=0, **options):
    torch.manual_seed(seed)
    backbone = load(BACKBONES, name)
    return backbone(backbone.Config(**options))


def saved(tmp_path, state):
    torch.save(state, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def same_weights(module, state):
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items() if name in state)


def apvit_on(device="meta", **options):
    """Without the seconds that its first weights take: none on meta, any on a CPU."""
    with torch.device("meta"):
        model = Apvit(ApvitSettings(**options))
    return model if device == "meta" else model.to_empty(device=device)


def constants(names_and_shapes, start=1.0):
    """Tensors of one value each, which need no place in a file."""
    return {
        name: torch.full((), start + number).expand(value.shape)
        for number, (name, value) in enumerate(names_and_shapes)
    }


@pytest.mark.slow
def test_torchvisions_file_fills_all_but_the_reduction(tmp_path):
    theirs = {n: v + 1 for n, v in built("resnet50").state_dict().items() if not n.startswith("reduction.")}
    path = saved(tmp_path, theirs | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)})
    model = built("resnet50", seed=1)
    reduction = {name: value.clone() for name, value in model.reduction.state_dict().items()}
    assert load_backbone_weights(model, path) == ("reduction.",)
    assert same_weights(model, theirs)
    assert same_weights(model.reduction, reduction)


def test_without_a_reduction_nothing_is_left(tmp_path):
    path = saved(tmp_path, built("resnet18").state_dict() | {"fc.bias": torch.zeros(1000)})
    assert load_backbone_weights(built("resnet18", seed=1), path) == ()


def test_a_trained_network_of_ours_comes_back_whole(tmp_path):
    trained = Classified(built("resnet18", size=64), 7)
    path = saved(tmp_path, {"state_dict": trained.state_dict(), "epoch": 2})
    model = built("resnet18", seed=1, size=64)
    assert load_backbone_weights(model, path) == ()
    assert same_weights(model, trained.backbone.state_dict())


@pytest.mark.slow
def test_a_backbone_of_the_papers_release_comes_whole(tmp_path):
    theirs = built("resnet18", size=64).state_dict()
    renamed = {
        (f"layer_reduce_dim.layer.{n.removeprefix('reduction.')}" if n.startswith("reduction.") else f"model.{n}"): v
        for n, v in theirs.items()
    }
    path = saved(tmp_path, renamed | {"classifier.1.weight": torch.zeros(2, 64), "classifier.1.bias": torch.zeros(2)})
    model = built("resnet18", seed=1, size=64)
    assert load_backbone_weights(model, path) == ()
    assert same_weights(model, theirs)


@pytest.mark.slow
def test_another_depth_is_refused(tmp_path):
    path = saved(tmp_path, built("resnet34").state_dict())
    with pytest.raises(WaverError, match=r"does not hold ResNet18 \(unknown layer1\.2\.conv1\.weight"):
        load_backbone_weights(built("resnet18"), path)


def test_classes_alone_are_no_backbone(tmp_path):
    with pytest.raises(WaverError, match=r"does not hold ResNet18 \(missing conv1\.weight"):
        load_backbone_weights(built("resnet18"), saved(tmp_path, {"fc.weight": torch.zeros(2, 512)}))


def face_evolve_state():
    """Face.evoLVe's IR-50: units counted through, a fourth stage, an output layer, no counters."""
    torch.manual_seed(3)
    state, number = {}, 0
    stem = Ir50().state_dict()
    for stage, (_, units) in enumerate(STAGES):
        for unit in range(units):
            own = f"body.{stage}.{unit}."
            state |= {n.replace(own, f"body.{number}."): v for n, v in stem.items() if n.startswith(own)}
            number += 1
    state |= {name: value for name, value in stem.items() if name.startswith("input_layer.")}
    state |= {f"body.{number}.res_layer.0.weight": torch.zeros(256), "output_layer.0.weight": torch.zeros(512)}
    return stem, {name: value for name, value in state.items() if "num_batches" not in name}


@pytest.mark.slow
def test_face_evolves_weights_fill_the_stem(tmp_path):
    stem, state = face_evolve_state()
    assert "body.20.res_layer.4.running_var" in state
    model = apvit_on("cpu")
    left = load_backbone_weights(model, saved(tmp_path, state))
    assert left == ("vit.projs.", "vit.", "reduction.")
    assert same_weights(model.extractor, {name: value for name, value in stem.items() if "num_batches" not in name})


def test_half_a_stem_is_refused(tmp_path):
    _, state = face_evolve_state()
    del state["body.5.res_layer.1.weight"]
    with pytest.raises(WaverError, match=r"missing extractor\.body\.1\.2\.res_layer\.1\.weight"):
        load_backbone_weights(apvit_on(), saved(tmp_path, state))


def timm_state(positions):
    """A vision transformer of APViT's width."""
    own = [(n, v) for n, v in apvit_on().vit.state_dict().items() if n.startswith(("blocks.", "norm.", "cls_tok"))]
    beside = {"patch_embed.proj.weight": torch.zeros(768, 3, 16, 16), "head.weight": torch.zeros(1000, 768)}
    return constants(own) | beside | {"pos_embed": positions}


def test_a_vision_transformers_weights_fill_the_blocks(tmp_path):
    rows = torch.linspace(0, 1, 7)[:, None, None].expand(7, 7, 768)
    positions = torch.cat([torch.full((1, 768), 5.0), rows.reshape(-1, 768)])[None]
    state, model = timm_state(positions), apvit_on("cpu")
    left = load_backbone_weights(model, saved(tmp_path, {"model": state}))
    assert left == ("extractor.", "vit.projs.", "reduction.")
    assert same_weights(model.vit.blocks, {n.removeprefix("blocks."): v for n, v in state.items()})
    assert (model.vit.cls_pos_embed == 5).all()
    grid = model.vit.patch_pos_embed[0].unflatten(0, (14, 14))
    assert (grid.diff(dim=0) >= 0).all(), "rows stay in order"
    torch.testing.assert_close(grid, grid[:, :1].expand_as(grid), atol=1e-6, rtol=0)


def test_positions_of_the_same_grid_stay_as_they_are():
    positions = torch.randn(1, 197, 768, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Apvit.translated({"pos_embed": positions})["vit.patch_pos_embed"], positions[:, 1:])


def test_positions_that_are_no_square_are_refused(tmp_path):
    path = saved(tmp_path, timm_state(torch.zeros(1, 198, 768)))
    with pytest.raises(WaverError, match=r"missing vit\.patch_pos_embed; .*unknown vit\.pos_embed"):
        load_backbone_weights(apvit_on(), path)


def test_the_release_of_apvit_loads_under_its_own_names(tmp_path):
    state = constants(apvit_on(size=768).state_dict().items())
    path = saved(tmp_path, {"state_dict": state | {"head.fc.weight": torch.zeros(7, 768)}})
    model = apvit_on("cpu")
    assert load_backbone_weights(model, path) == ("reduction.",)
    assert same_weights(model, state)


def test_classes_alone_are_no_apvit(tmp_path):
    with pytest.raises(WaverError, match=r"does not hold Apvit \(none of its parameters is there"):
        load_backbone_weights(apvit_on(), saved(tmp_path, {"head.fc.weight": torch.zeros(7, 768)}))
