"""Transformer-XL: segments, memory, relative positions."""

import pytest
import torch
from sequences import ends, normal

from waver.errors import WaverError
from waver.models.fusion.lfan import Lfan
from waver.models.temporal.settings import XlSettings
from waver.models.temporal.xl import Xl, encodings, shifted
from waver.records import method_config
from waver.registry import FUSIONS
from waver.training.profiling.frames import flops_of

SMALL = {"width": 8, "heads": 2, "layers": 2, "hidden": 16, "dropout": 0.0}


def small(segment, memory, **options):
    torch.manual_seed(0)
    network = Xl(4, XlSettings(**{**SMALL, "segment": segment, "memory": memory, **options})).eval()
    torch.nn.init.normal_(network.biases)  # as after training: their share must be seen
    return network


def full_context(network, x):
    """Causal attention over all frames at once, every distance by its own encoding."""
    h = network.enter(x.transpose(1, 2))
    frames, width = h.shape[1:]
    distance = (torch.arange(frames)[:, None] - torch.arange(frames)).clamp(min=0)
    table = encodings(frames, width, h.device).flip(0)[distance]
    for layer in network.layers:
        attention, mixed = layer.attention, []
        query, position = attention.query(h), table @ attention.position.weight.T
        key, value = attention.key_value(h).chunk(2, dim=-1)
        for head, part in enumerate(torch.arange(width).chunk(attention.heads)):
            u, v = network.biases[:, head, 0]
            scores = (query[..., part] + u) @ key[..., part].transpose(1, 2)
            scores = scores + torch.einsum("bic,ijc->bij", query[..., part] + v, position[..., part])
            scores = (scores / len(part) ** 0.5).masked_fill(torch.ones(frames, frames).triu(1) > 0, -torch.inf)
            mixed.append(scores.softmax(-1) @ value[..., part])
        h = layer.norms[0](h + attention.output(torch.cat(mixed, dim=-1)))
        h = layer.norms[1](h + layer.forward_part(h))
    return h.transpose(1, 2)


def streamed(network, x, segment):
    memory, outputs = None, []
    for part in x.split(segment, dim=-1):
        out, memory = network.advance(part, memory)
        outputs.append(out)
    return torch.cat(outputs, dim=-1), memory


def test_sizes_and_counts():
    papers = XlSettings()
    assert (papers.segment, papers.memory, papers.layers, papers.width, papers.heads) == (96, 96, 3, 128, 4)
    layer = 5 * 128**2 + 2 * 128 * 512 + 512 + 128 + 4 * 128  # query, key, value, position, output; rest
    counted = sum(parameter.numel() for parameter in Xl(512, papers).parameters())
    assert counted == 512 * 128 + 128 + 3 * layer + 2 * 128  # the two biases are of all layers


def test_encodings_run_from_the_farthest_to_the_frame_itself():
    table = encodings(5, 6, torch.device("cpu"))
    assert torch.equal(table[-1], torch.tensor([0.0, 0, 0, 1, 1, 1]))
    assert torch.allclose(table[0], torch.cat([f(4 / 10_000 ** (torch.arange(3) / 3)) for f in (torch.sin, torch.cos)]))


def test_the_shift_puts_every_distance_under_its_key():
    queries, keys = 4, 7
    by_distance = torch.arange(keys - 1, -1, -1.0).expand(2, queries, keys)
    found = shifted(by_distance)
    for i in range(queries):
        assert found[0, i, : i + 4].tolist() == [i + 3 - j for j in range(i + 4)]


@pytest.mark.parametrize(("segment", "memory"), [(40, 1), (8, 40), (8, 32), (7, 50), (1, 39)])
def test_with_a_memory_of_all_history_it_is_attention_over_all_of_it(segment, memory):
    network, x = small(segment, memory), normal(2, 4, 40)
    with torch.no_grad():
        wanted = full_context(network, x)
        assert (network(x, ends(40, 40)) - wanted).abs().max() < 1e-5
        assert (streamed(network, x, segment)[0] - wanted).abs().max() < 1e-5


def test_with_a_memory_of_all_history_the_logits_of_a_fusion_are_those_of_full_context():
    dims, x = {"visual": 9, "audio": 6}, {"visual": normal(2, 50, 9), "audio": normal(2, 50, 6, seed=1)}
    logits = []
    for lengths in ({"segment": 50, "memory": 1}, {"segment": 8, "memory": 48}):
        torch.manual_seed(0)
        model = Lfan(dims, method_config(FUSIONS, "lfan", {"temporal": "xl", "xl": {**SMALL, **lengths}})).eval()
        with torch.no_grad():
            logits.append(model(x, ends(50, 31))[ends(50, 31)])
    assert (logits[0] - logits[1]).abs().max() < 1e-5


@pytest.mark.parametrize(("segment", "memory"), [(8, 8), (8, 5), (8, 19), (96, 96)])
def test_a_stream_gives_what_the_window_gives(segment, memory):
    network, x = small(segment, memory), normal(2, 4, 45)
    with torch.no_grad():
        out, left = streamed(network, x, segment)
        assert torch.allclose(out, network(x, ends(45, 45)), atol=1e-6)
    assert [each.shape for each in left] == [(2, min(memory, 45), 8)] * 2


def test_each_layer_sees_one_memory_further_back_and_nothing_ahead():
    for layers, last in ((1, 15), (2, 23), (3, 31)):
        network, x, mask = small(8, 8, layers=layers), normal(1, 4, 48), ends(48)
        for at in (0, 3):
            y = x.clone()
            y[:, :, at] += 3
            with torch.no_grad():
                changed = (network(x, mask) != network(y, mask)).any(dim=1)[0].nonzero().flatten().tolist()
            assert changed == list(range(at, last + 1))


def test_nothing_is_learnt_through_the_memory():
    network, x = small(8, 8), normal(1, 4, 24).requires_grad_()
    gradient = torch.autograd.grad(network(x, ends(24))[:, :, 8:16].square().sum(), x)[0]
    assert gradient[:, :, 8:16].abs().min() > 0
    assert not gradient[:, :, :8].any()
    assert not gradient[:, :, 16:].any()
    out, memory = network.advance(x[:, :, :8])
    assert out.requires_grad
    assert not any(each.requires_grad for each in memory)


def test_operations_are_counted():
    frames, network = 192, Xl(512, XlSettings())
    projected = frames * (2 * 128**2 + 2 * 128 * 512) + 2 * frames * 2 * 128**2  # memory is projected again
    layer = projected + 192 * 128**2 + frames * 192 * 128 * 3  # positions; content, position, values
    assert flops_of(network, normal(1, 512, frames), ends(frames)) == 2 * (frames * 512 * 128 + 3 * layer)


def test_heads_share_the_width():
    with pytest.raises(WaverError, match=r"options of lfan: xl: .*width 10 cannot be divided among 4 heads"):
        method_config(FUSIONS, "lfan", {"xl": {"width": 10}})
