"""The transformer over modalities and their discrepancies."""

import numpy as np
import pytest
import torch

from waver.errors import WaverError
from waver.evaluation import metrics
from waver.models.video.discrepancy import Discrepancy, DiscrepancyConfig, cut_and_mix, focal_loss
from waver.models.video.window_pooling import pool_windows, window_mask
from waver.records import load, method_config
from waver.registry import VIDEO_MODELS

NAMES = {"V": "visual", "A": "audio", "T": "text", "C": "cues", "Q": "question"}
SIZES = {"visual": 7, "audio": 6, "text": 9, "cues": 4, "question": 5}
SMALL = {"size": 16, "heads": 2, "feedforward": 24, "hidden": 12, "layers": 1, "window_steps": 4}
SUBSETS = ["V", "A", "T", "VA", "VT", "AT", "VAT", "VATQ", "TQ", "VQ", "C", "VATC", "TCQ"]


def build(letters="VAT", seed=0, **options):
    torch.manual_seed(seed)
    return Discrepancy({NAMES[x]: SIZES[NAMES[x]] for x in letters}, DiscrepancyConfig(**SMALL | options))


def videos(letters="VAT", count=3, steps=20, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams, mask = {}, {}
    for name in (NAMES[x] for x in letters):
        length = 1 if name == "question" else steps
        streams[name] = torch.randn(count, length, SIZES[name], generator=generator)
        mask[name] = (torch.rand(count, length, generator=generator) > 0.2) | (name == "question")
        streams[name] = streams[name] * mask[name][..., None]
    return streams, mask


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_of_the_original_sizes():
    with torch.device("meta"):
        model = load(VIDEO_MODELS, "discrepancy")(
            dict.fromkeys(("visual", "audio", "text"), 768), method_config(VIDEO_MODELS, "discrepancy", {})
        )
    assert count(model.project) == count(model.product) == 3 * (768 * 768 + 768)
    assert count(model.pool) == 3 * 768
    assert count(model.film) == 2 * (768 * 1536 + 1536)
    assert count(model.transformer) == 2 * 4_727_040
    assert count(model.head) == 2 * 6912 + 6912 * 512 + 512 + 513
    assert count(model.text_head) == 2 * 768 + 768 * 512 + 512 + 513
    assert count(model) == 19_311_874


@pytest.mark.parametrize(
    ("letters", "options", "tokens"),
    [
        ("VAT", {}, 9),
        ("VAT", {"tokens": ("own", "difference")}, 6),
        ("VAT", {"tokens": ("own",)}, 3),
        ("VAT", {"tokens": ("difference",)}, 3),
        ("VT", {}, 4),
        ("T", {}, 1),
        ("VATQ", {}, 10),
    ],
)
def test_tokens_are_those_of_the_modalities_there_are(letters, options, tokens):
    model = build(letters, **options)
    assert model.head[1].in_features == tokens * SMALL["size"]
    assert model(*videos(letters)).shape == (3, 2)


@pytest.mark.parametrize("letters", SUBSETS)
def test_every_parameter_learns(letters):
    model = build(letters, dropout=0, cutmix=0)
    loss = model.loss(videos(letters), torch.tensor([0.0, 1.0, 0.3]))
    loss.backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_probabilities_are_blended():
    model = build().eval()
    given = videos()
    full, text = model.margins(*given)
    expected = 0.6 * text.sigmoid() + 0.4 * full.sigmoid()
    found = model(*given).softmax(1)[:, 1]
    assert torch.allclose(found, expected, atol=1e-6)
    alone = build(blend=0).eval()
    assert torch.allclose(alone(*given).softmax(1)[:, 1], alone.margins(*given)[0].sigmoid(), atol=1e-6)
    texts = build(blend=1).eval()
    assert torch.allclose(texts(*given).softmax(1)[:, 1], texts.margins(*given)[1].sigmoid(), atol=1e-6)


def test_logits_stay_finite_where_both_heads_are_sure():
    model = build().eval()
    with torch.no_grad():
        for head in (model.head, model.text_head):
            head[-1].weight.zero_()
            head[-1].bias.fill_(200)
    logits = model(*videos())
    assert torch.isfinite(logits).all()
    assert (logits[:, 1] - logits[:, 0] > 50).all()


def test_loss_is_half_focal_and_half_cross_entropy():
    model = build(cutmix=0).eval()
    given, label = videos(), torch.tensor([1.0, 0.0, 1.0])
    full, text = model.margins(*given)
    expected = 0.5 * focal_loss(full, label, 2.0)
    expected = expected + 0.5 * torch.nn.functional.binary_cross_entropy_with_logits(text, label)
    assert torch.allclose(model.loss(given, label), expected)


def test_focal_loss():
    margin, label = torch.tensor([0.4, -1.0, 2.0]), torch.tensor([1.0, 1.0, 0.0])
    plain = torch.nn.functional.binary_cross_entropy_with_logits(margin, label)
    assert torch.allclose(focal_loss(margin, label, 0.0), plain)
    p = margin.sigmoid()
    own = torch.where(label == 1, p, 1 - p)
    assert torch.allclose(focal_loss(margin, label, 2.0), (-((1 - own) ** 2) * own.log()).mean())


@pytest.mark.parametrize("letters", ["VAT", "T", "VATQ"])
def test_padding_and_other_videos_change_nothing(letters):
    model = build(letters).eval()
    streams, mask = videos(letters)
    want = model(streams, mask)
    longer, wider = {}, {}
    for name, stream in streams.items():
        more = 0 if name == "question" else 11
        longer[name] = torch.cat([stream, torch.randn(len(stream), more, stream.shape[2])], dim=1)
        wider[name] = torch.cat([mask[name], torch.zeros(len(stream), more, dtype=torch.bool)], dim=1)
    assert (model(longer, wider) - want).abs().max() < 1e-5
    alone = [model({n: s[i : i + 1] for n, s in streams.items()}, {n: m[i : i + 1] for n, m in mask.items()})
             for i in range(3)]  # fmt: skip
    assert (torch.cat(alone) - want).abs().max() < 1e-5


def test_a_modality_that_is_missing_from_a_video_counts_for_nothing():
    model = build().eval()
    streams, mask = videos()
    mask["visual"][0] = False
    before = model(streams, mask)
    streams["visual"][0] = 100.0
    after = model(streams, mask)
    assert torch.isfinite(before).all()
    assert torch.equal(before, after)
    for name in mask:
        mask[name][0] = False
    assert torch.isfinite(model(streams, mask)).all()


def test_the_text_leads_face_and_voice_only_with_film():
    assert len(build(film=False).film) == 0
    assert sorted(build("AT").film) == ["audio"]
    assert len(build("VA").film) == 0


def test_the_question_reaches_both_heads():
    model = build("VATQ").eval()
    streams, mask = videos("VATQ")
    full, text = model.margins(streams, mask)
    other = model.margins({**streams, "question": -streams["question"]}, mask)
    assert not torch.allclose(full, other[0])
    assert not torch.allclose(text, other[1])


def test_windows_lie_in_their_segments_and_are_spread():
    length = torch.tensor([30, 7, 3])
    seen = window_mask(length, 30, 4, 5, random=False)
    assert seen.sum(-1).tolist() == [[4] * 5, [4, 0, 0, 0, 0], [3, 0, 0, 0, 0]]
    starts = seen[0].int().argmax(-1)
    assert starts.tolist() == [1, 7, 13, 19, 25]  # the middles of five segments of six steps
    torch.manual_seed(0)
    drawn = [window_mask(length, 30, 4, 5, random=True) for _ in range(50)]
    places = torch.stack([windows[0].int().argmax(-1) for windows in drawn])
    assert ((places >= torch.arange(5) * 6) & (places + 4 <= (torch.arange(5) + 1) * 6)).all()
    assert all(len(set(column.tolist())) == 3 for column in places.T)


def test_windows_are_averaged_after_pooling():
    hidden, score = torch.randn(1, 12, 3), torch.randn(1, 12)
    seen = window_mask(torch.tensor([12]), 12, 3, 2, random=False)
    parts = [(score[0, w].softmax(0)[:, None] * hidden[0, w]).sum(0) for w in seen[0]]
    assert torch.allclose(pool_windows(hidden, score, seen)[0], torch.stack(parts).mean(0), atol=1e-6)


def test_the_draws_of_training_are_those_of_the_seed():
    model, given, label = build(dropout=0.3), videos(steps=40), torch.tensor([0.0, 1.0, 1.0])
    found = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        found.append(float(model.loss(given, label).detach()))
    assert found[0] == found[1] != found[2]
    assert torch.equal(model.eval()(*given), model(*given))


def test_cutmix_puts_a_stretch_of_another_video_and_its_share_of_the_label():
    torch.manual_seed(3)
    steps, label = 50, torch.tensor([0.0, 1.0])
    streams = {"text": label[:, None, None].expand(2, steps, 4).clone(), "question": torch.randn(2, 1, 3)}
    mask = {"text": torch.ones(2, steps, dtype=torch.bool), "question": torch.ones(2, 1, dtype=torch.bool)}
    exchanged = 0
    for _ in range(40):
        cut, _, mixed = cut_and_mix(streams, mask, label)
        share = cut["text"].mean((1, 2))
        assert torch.allclose(share, mixed, atol=0.5 / steps + 1e-6)
        assert torch.equal(cut["question"], streams["question"])
        foreign = (cut["text"][0, :, 0] == 1).int()
        assert foreign.diff().abs().sum() <= 2  # one stretch
        assert foreign.sum() <= steps / 2
        exchanged += int(foreign.sum() > 0)
    assert exchanged > 5


def test_cutmix_counts_no_padding():
    torch.manual_seed(5)
    lengths, label = torch.tensor([15, 100]), torch.tensor([0.0, 1.0])
    mask = {"text": torch.arange(100) < lengths[:, None]}
    streams = {"text": torch.where(mask["text"], label[:, None], torch.nan)[..., None].expand(-1, -1, 4).clone()}
    for _ in range(20):
        cut, seen, mixed = cut_and_mix(streams, mask, label)
        assert torch.equal(seen["text"], mask["text"])
        share = torch.stack([own[there].mean() for own, there in zip(cut["text"][..., 0], mask["text"], strict=True)])
        assert torch.allclose(share, mixed, atol=1e-6)


def test_a_head_that_learns_nothing_is_not_asked():
    with pytest.raises(ValueError, match="must leave out the same head"):
        DiscrepancyConfig(text_weight=0)
    with pytest.raises(ValueError, match="must leave out the same head"):
        DiscrepancyConfig(text_weight=1)
    assert DiscrepancyConfig(text_weight=0, blend=0).blend == 0


@pytest.mark.slow
def test_disagreement_is_learnt_and_no_modality_alone_tells_it():
    """Label: face and words differ, which neither tells."""
    draw = np.random.default_rng(0)
    state = draw.choice([-1.0, 1.0], (400, 2))
    label = torch.tensor((state[:, 0] != state[:, 1]).astype(np.float32))
    directions = draw.standard_normal((2, 8))
    noisy = [state[:, i, None, None] * directions[i] + 0.5 * draw.standard_normal((400, 6, 8)) for i in (0, 1)]
    streams = {
        name: torch.tensor(own, dtype=torch.float32) for name, own in zip(("visual", "text"), noisy, strict=True)
    }
    found = {}
    for letters in ("VT", "T"):
        names = [NAMES[x] for x in letters]
        torch.manual_seed(0)
        model = Discrepancy(dict.fromkeys(names, 8), DiscrepancyConfig(**SMALL | {"dropout": 0.1, "cutmix": 0}))
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(12):
            for part in torch.randperm(300).split(30):
                optimiser.zero_grad()
                own = {name: streams[name][part] for name in names}
                mask = {name: torch.ones(len(part), 6, dtype=torch.bool) for name in names}
                model.loss((own, mask), label[part]).backward()
                optimiser.step()
        own = {name: streams[name][300:] for name in names}
        with torch.no_grad():
            logits = model.eval()(own, {name: torch.ones(100, 6, dtype=torch.bool) for name in names})
        found[letters] = metrics.auroc((logits[:, 1] - logits[:, 0]).numpy(), label[300:].numpy())
    assert found["VT"] > 0.95
    assert 0.3 < found["T"] < 0.7


def test_what_cannot_be_built_is_told_in_a_sentence():
    with pytest.raises(WaverError, match="needs V, A, T or C"):
        build("Q")
    with pytest.raises(WaverError, match="no token difference or product"):
        build("T", tokens=("difference", "product"))
    with pytest.raises(WaverError, match="names a kind twice"):
        method_config(VIDEO_MODELS, "discrepancy", {"tokens": ["own", "own"]})
    with pytest.raises(WaverError, match="divide"):
        method_config(VIDEO_MODELS, "discrepancy", {"size": 10, "heads": 4})
