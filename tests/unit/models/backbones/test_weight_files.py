import sys
import types

import pytest
import torch
from torch import nn

from waver.errors import WaverError
from waver.models.weights import fill, load_weights, read_state


class Names(list):
    """What a training program may leave in a file, and nothing can stand in for."""


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def saved(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    return tmp_path / "x.pth"


def changed():
    return {name: value + 1 for name, value in network().state_dict().items()}


@pytest.mark.parametrize("envelope", [None, "state_dict", "model", "state", "model_state_dict"])
def test_a_state_dict_is_found_alone_and_among_other_records(tmp_path, envelope):
    content = changed() if envelope is None else {"epoch": 3, envelope: changed(), "note": "best"}
    model = network()
    load_weights(model, saved(tmp_path, content), "net")
    assert all(torch.equal(value, changed()[name]) for name, value in model.state_dict().items())


def test_the_record_that_holds_tensors_is_taken(tmp_path):
    path = saved(tmp_path, {"model": {"name": "resnet18"}, "state": changed()})
    assert set(read_state(path, "net")) == set(changed())


def test_prefixes_are_stripped_and_the_rest_ignored(tmp_path):
    content = {f"module.net.{name}": value for name, value in changed().items()} | {"fc.weight": torch.zeros(3)}
    model = network()
    load_weights(model, saved(tmp_path, content), "net", strip=("net.",), ignore=("fc.",))
    assert torch.equal(model[0].weight, changed()["0.weight"])


def test_missing_unknown_and_other_shapes_are_told_at_once(tmp_path):
    state = changed()
    del state["0.weight"]
    state |= {"9.bias": torch.zeros(1), "2.weight": torch.zeros(5, 4)}
    path = saved(tmp_path, state)
    before = network().state_dict()
    model = network()
    with pytest.raises(WaverError) as caught:
        load_weights(model, path, "net")
    message = str(caught.value)
    for part in (str(path), "missing 0.weight", "unknown 9.bias", "2.weight is (5, 4), not (2, 4)", "give the weights"):
        assert part in message
    assert "\n" not in message
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "nothing half-loaded"


def test_a_long_list_is_cut(tmp_path):
    state = {f"layer{number}.weight": torch.zeros(1) for number in range(40)}
    with pytest.raises(WaverError, match=r"unknown layer4\.weight; and 35 more unknown"):
        load_weights(network(), saved(tmp_path, state), "net")


def test_counters_of_batch_normalisation_may_lack(tmp_path):
    state = {name: value for name, value in changed().items() if "num_batches" not in name}
    model = network()
    load_weights(model, saved(tmp_path, state), "net")
    assert torch.equal(model[1].running_mean, changed()["1.running_mean"])


def test_half_precision_is_widened(tmp_path):
    state = {name: value.half() if value.is_floating_point() else value for name, value in changed().items()}
    model = network()
    load_weights(model, saved(tmp_path, state), "net")
    assert model[0].weight.dtype == torch.float32


def test_a_network_on_meta_takes_the_tensors_over(tmp_path):
    with torch.device("meta"):
        model = network()
    state = {name: value for name, value in changed().items() if "num_batches" not in name}
    load_weights(model, saved(tmp_path, state), "net")
    assert not any(value.is_meta for value in model.state_dict().values())
    model.eval()(torch.zeros(1, 3))


def test_a_part_may_lack_as_a_whole_but_not_by_halves():
    state = changed()
    body = {name: value for name, value in state.items() if not name.startswith("2.")}
    model = network()
    last = model[2].weight.clone()
    assert fill(model, body, "x", "net", parts=("2.",)) == ("2.",)
    assert torch.equal(model[2].weight, last)
    assert torch.equal(model[0].weight, state["0.weight"])
    with pytest.raises(WaverError, match=r"missing 2\.weight"):
        fill(model, body | {"2.bias": state["2.bias"]}, "x", "net", parts=("2.",))
    assert fill(model, state, "x", "net", parts=("2.",)) == ()


@pytest.mark.parametrize("content", [{}, {"lr": 0.1}, [1, 2], {"state_dict": {}}])
def test_files_without_weights_are_told(tmp_path, content):
    with pytest.raises(WaverError, match="as net weights would"):
        load_weights(network(), saved(tmp_path, content), "net")


def test_objects_of_a_training_program_are_passed_over_and_not_executed(tmp_path, monkeypatch):
    module = types.ModuleType("yacs_like")

    class Node(dict):
        def __init__(self, values):
            super().__init__(values)
            self.frozen = True

        def __setstate__(self, state):
            raise AssertionError("executed")

    Node.__module__, Node.__qualname__ = "yacs_like", "Node"
    module.Node = Node
    monkeypatch.setitem(sys.modules, "yacs_like", module)
    path = saved(tmp_path, {"model": changed(), "config": Node({"lr": 0.1}), "epoch": 3})
    monkeypatch.delitem(sys.modules, "yacs_like")
    assert set(read_state(path, "net")) == set(changed())


def test_code_in_a_file_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    path = saved(tmp_path, {"model": changed(), "x": Attack()})
    assert set(read_state(path, "net")) == set(changed())
    assert not (tmp_path / "proof").exists()


def test_the_reason_is_told_without_advice_to_run_the_file(tmp_path):
    with pytest.raises(WaverError, match=r"Can only (append to|extend) lists") as caught:
        read_state(saved(tmp_path, {"model": changed(), "x": Names(["a", "b"])}), "net")
    assert "weights_only" not in str(caught.value)
    (tmp_path / "y.pth").write_bytes(b"not weights")
    with pytest.raises(WaverError, match="cannot be read as net weights") as caught:
        read_state(tmp_path / "y.pth", "net")
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_is_told(tmp_path):
    with pytest.raises(WaverError, match=r"none\.pth cannot be read as net weights"):
        read_state(tmp_path / "none.pth", "net")
