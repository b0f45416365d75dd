import pytest
import torch

from parity.backbones import fixed_clips
from parity.emoclip import fixed_emoclip, release_state
from tiny_clip import write_clip
from waver.config.videos import VideosConfig
from waver.errors import WaverError
from waver.models.video.emoclip import (
    CLASSES,
    DEVIATION,
    MEAN,
    EmoClip,
    EmoClipSettings,
    TemporalTransformer,
    descriptions,
)
from waver.models.video.emoclip_weights import load_emoclip_weights
from waver.training.videos.training import make_optimiser

PUBLISHED = [[1.183462, 1.017929], [1.152631, 0.971704]]
"""Logits of the published network on two small towers, recorded by ``tests/parity/emoclip.py``."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"))


def built(folder, seed=0, **options):
    torch.manual_seed(seed)
    return EmoClip(EmoClipSettings(**options), folder).eval()


def clips(frames=3):
    return torch.rand(2, frames, 3, 224, 224, generator=torch.Generator().manual_seed(1))


def counted(depth, sizes):
    with torch.device("meta"):
        temporal = TemporalTransformer(512, EmoClipSettings(depth=depth, sizes=sizes))
    return sum(parameter.numel() for parameter in temporal.parameters())


def test_the_temporal_part_has_the_published_number_of_parameters():
    assert counted(2, "released") == 68_689_408
    assert counted(4, "released") == 136_854_016
    attention, mlp = 3 * 512 * 512 + 512 * 512 + 512, 2 * 512 * 2048 + 2048 + 512
    assert counted(2, "sane") == 1025 * 512 + 2 * (attention + mlp + 4 * 512)


@torch.no_grad()
def test_the_logits_are_those_of_the_published_network(tmp_path):
    logits = fixed_emoclip(tmp_path / "clip")(fixed_clips(frames=4))
    torch.testing.assert_close(logits, torch.tensor(PUBLISHED), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_lengths_of_embeddings_do_not_count(folder):
    model = built(folder)
    video, described = model.video(clips()), model.described()
    logits = model.compared(video, described)
    torch.testing.assert_close(model.compared(7 * video, described), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.compared(video, 0.1 * described), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(clips()), logits)
    assert (logits.abs() <= model.scale.exp()).all()
    assert model.scale.item() == pytest.approx(model.clip.logit_scale.item())


def test_zero_shot_needs_no_fit(folder):
    model = built(folder, zero_shot=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits = model(clips())
    assert not model.learns
    assert built(folder).learns
    assert not logits.requires_grad
    assert torch.equal(logits, model(clips()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


LEARNING = {
    "both": ("clip.vision_model", "clip.visual_projection", "clip.text_model", "clip.text_projection"),
    "image": ("clip.vision_model", "clip.visual_projection"),
    "text": ("clip.text_model", "clip.text_projection"),
    "none": (),
}


@pytest.mark.parametrize("towers", LEARNING)
def test_the_named_towers_learn_beside_the_temporal_part(folder, towers):
    model = built(folder, towers=towers).train()
    model(clips()).square().sum().backward()
    moved = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    due = {n for n, _ in model.named_parameters() if n.startswith(("scale", "temporal.", *LEARNING[towers]))}
    assert moved == due
    grads = dict(model.named_parameters())
    for part in LEARNING[towers]:
        assert any(p.grad.abs().any() for name, p in grads.items() if name.startswith(part))
    for part in ("vision_model", "visual_projection", "text_model", "text_projection"):
        assert model.clip.get_submodule(part).training is (f"clip.{part}" in LEARNING[towers])


def test_by_default_both_towers_learn_at_the_rate_of_the_body(folder):
    model = built(folder)
    assert model.config.towers == "both"
    body = {id(parameter) for parameter in model.body_parameters()}
    rest = {name for name, parameter in model.named_parameters() if id(parameter) not in body}
    assert rest == {name for name, _ in model.named_parameters() if name == "scale" or name.startswith("temporal.")}
    optimiser = make_optimiser(model, VideosConfig().recipe("emoclip"))
    assert {group["factor"] for group in optimiser.param_groups} == {1.0, 1e-3}


def test_the_sentences_follow_a_text_tower_that_learns(folder):
    model = built(folder, towers="text").train()
    before = model.described().detach()
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    model(clips()).square().sum().backward()
    optimiser.step()
    assert not torch.allclose(model.described(), before, atol=1e-4)


@torch.no_grad()
def test_paraphrases_are_averaged_by_direction(folder):
    model, one = built(folder), built(folder, paraphrases=False)
    tokens = model.ids.flatten(0, 1)
    pooled = model.clip.get_text_features(tokens, attention_mask=model.mask.flatten(0, 1)).pooler_output
    directions = (pooled / pooled.norm(dim=1, keepdim=True)).unflatten(0, model.ids.shape[:2])
    torch.testing.assert_close(model.described(), directions.mean(1))
    torch.testing.assert_close(one.described(), directions[:, 0])


@torch.no_grad()
def test_pixels_are_normalised_inside(folder):
    model, seen = built(folder), []
    hook = model.clip.vision_model.embeddings.patch_embedding
    hook.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model(torch.tensor(MEAN)[:, None, None].expand(1, 2, 3, 224, 224) + torch.tensor(DEVIATION)[:, None, None])
    torch.testing.assert_close(seen[0], torch.ones_like(seen[0]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_order_of_frames_counts_and_other_videos_do_not(folder):
    model, given = built(folder), clips(frames=4)
    logits = model(given)
    assert not torch.allclose(logits, model(given.flip(1)), atol=1e-4)
    torch.testing.assert_close(model(given[:1]), logits[:1], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="clips has shape"):
        model(given[..., :112])


def test_the_descriptions_are_sentences_of_two_classes():
    both = descriptions(paraphrases=True)
    assert len(both) == len(CLASSES) == 2
    assert len(both[0]) == len(both[1]) >= 3
    sentences = [sentence for own in both for sentence in own]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)
    assert [len(own) for own in descriptions(paraphrases=False)] == [1, 1]


@pytest.mark.slow
@torch.no_grad()
def test_the_release_loads_whole_and_its_descriptions_are_embedded_anew(folder, tmp_path):
    source = built(write_clip(tmp_path / "other", seed=5), seed=5, sizes="released")
    torch.save({f"module.{n}": v for n, v in release_state(source.state_dict()).items()}, tmp_path / "emoclip.pth")
    model = built(folder, sizes="released")
    assert not torch.allclose(model(clips()), source(clips()), atol=1e-3)
    assert load_emoclip_weights(model, tmp_path / "emoclip.pth") == ()
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in model.state_dict().items())
    torch.testing.assert_close(model(clips()), source(clips()))


def test_weights_for_further_tasks_leave_the_text_tower(folder, tmp_path):
    source = built(folder, seed=5, sizes="released")
    state = release_state(source.state_dict())
    visual = "backbone.visual."
    kept = {f"backbone.{name.removeprefix(visual)}": v for name, v in state.items() if name.startswith(visual)}
    kept |= {name: value for name, value in state.items() if name.startswith("temporal.")}
    torch.save(kept | {"mlp.0.weight": torch.zeros(8, 16)}, tmp_path / "downstream.pth")
    model = built(folder, sizes="released")
    left = load_emoclip_weights(model, tmp_path / "downstream.pth")
    assert left == ("scale", "clip.logit_scale", "clip.text_model.", "clip.text_projection.")
    assert torch.equal(model.temporal.pos_embedding, source.temporal.pos_embedding)


def test_the_other_sizes_are_told(folder, tmp_path):
    torch.save(release_state(built(folder, sizes="released").state_dict()), tmp_path / "emoclip.pth")
    with pytest.raises(
        WaverError, match=r"EmoCLIP with sane sizes .*temporal\.layers\.0\.qkv\.weight is \(49152, 16\)"
    ):
        load_emoclip_weights(built(folder), tmp_path / "emoclip.pth")


def test_a_folder_without_clip_is_told(tmp_path):
    with pytest.raises(WaverError, match="holds no CLIP checkpoint with a tokenizer"):
        EmoClip(EmoClipSettings(), tmp_path)


def test_a_seed_decides_the_weights_beside_clip(folder):
    first, second, other = (built(folder, seed).temporal.cls_token for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
