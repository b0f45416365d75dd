"""EmoCLIP: a video compared with sentences that describe the classes (Foteinopoulou and Patras, FG 2024).

Each frame passes CLIP's image tower, a small transformer makes one vector of the frames, and a class's logit is that
vector's cosine with the embedding of what the class looks like (arXiv 2310.16640, section 3). Zero-shot means
weights that were trained on descriptions of emotions, and these sentences; nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import yaml
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from waver.config.sections import Section
from waver.models.base import VideoModel
from waver.models.freeze import freeze
from waver.models.vision_language.clip_folder import DEVIATION, MEAN, load_clip
from waver.shapes import check_shape

DESCRIPTIONS = Path(__file__).with_name("descriptions.yaml")
CLASSES = ("no_ah", "ah")
"""Keys of the descriptions, in the order of the logits."""
MOST_FRAMES = 1023
"""Positions that the temporal transformer knows, beside that of the class token."""
_TOWERS = {"image": ("vision_model", "visual_projection"), "text": ("text_model", "text_projection")}
"""Parts of CLIP, by tower."""
_HEAD, _HIDDEN = 64, 2048
"""Size of an attention head and hidden size of the MLP. The release hands over two arguments the wrong way round:
its heads are of 2048, its MLP is as wide as the embedding, and its published weights have these sizes."""


class EmoClipSettings(Section):
    """Settings; the defaults are the paper's, but for the sizes that the release has by mistake."""

    frames: int = Field(8, ge=1, le=MOST_FRAMES, description="frames of a clip")
    depth: int = Field(2, ge=1, description="blocks of the temporal transformer")
    heads: int = Field(8, ge=1, description="its attention heads")
    sizes: Literal["sane", "released"] = Field(
        "sane", description="sane: heads of 64 and an MLP of 2048; released: heads of 2048, an MLP of 512"
    )
    paraphrases: bool = Field(True, description="average all descriptions of a class, or take the first")
    towers: Literal["both", "image", "text", "none"] = Field(
        "both", description="which of CLIP's towers learn too, at a rate of their own (videos.body_rate)"
    )
    zero_shot: bool = Field(False, description="nothing is fitted")


class TemporalBlock(nn.Module):
    """Pre-norm attention among frames, then an MLP."""

    def __init__(self, width: int, heads: int, head_size: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * heads * head_size, bias=False)
        self.out = nn.Linear(heads * head_size, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, frames: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm1(frames)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        frames = frames + self.out(mixed.transpose(1, 2).flatten(2))
        inner = functional.gelu(self.fc1(self.norm2(frames)), approximate="tanh")
        return frames + self.fc2(inner)  # type: ignore[no-any-return]


class TemporalTransformer(nn.Module):
    """Class token, positions, blocks; at depth 2, width 512 and released sizes 68,689,408 parameters.

    Args:
        width: size of a frame's vector.
        config: depth, heads, sizes.
    """

    def __init__(self, width: int, config: EmoClipSettings) -> None:
        super().__init__()
        head_size, hidden = (_HEAD, _HIDDEN) if config.sizes == "sane" else (_HIDDEN, width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.randn(1, MOST_FRAMES + 1, width))
        self.layers = nn.ModuleList(TemporalBlock(width, config.heads, head_size, hidden) for _ in range(config.depth))

    def forward(self, frames: Tensor) -> Tensor:
        """One vector [B, width] of frames [B, F, width]."""
        tokens = torch.cat([self.cls_token.expand(len(frames), -1, -1), frames], dim=1)
        tokens = tokens + self.pos_embedding[:, : tokens.shape[1]]
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens[:, 0]


class EmoClip(VideoModel):
    """The network.

    Args:
        config: see ``EmoClipSettings``.
        folder: of a CLIP checkpoint as transformers writes it, with its tokenizer; any size will do.

    Attributes:
        config: the settings given.
        learns: False: a zero-shot model, which is not fitted.

    Raises:
        WaverError: the folder is no CLIP checkpoint.
    """

    Config: ClassVar[type[EmoClipSettings]] = EmoClipSettings
    inputs: ClassVar[str] = "faces"
    config: EmoClipSettings
    ids: Tensor
    mask: Tensor
    known: Tensor
    mean: Tensor
    deviation: Tensor
    clip: Any

    def __init__(self, config: EmoClipSettings, folder: Path) -> None:
        super().__init__()
        self.config = config
        self.learns = not config.zero_shot
        self.clip, ids, mask = _clip(folder, descriptions(config.paraphrases))
        self.temporal = TemporalTransformer(int(self.clip.config.projection_dim), config)
        self.scale = nn.Parameter(self.clip.logit_scale.detach().clone())
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        self.clip.logit_scale.requires_grad_(False)
        for tower, parts in _TOWERS.items():
            if config.zero_shot or config.towers not in ("both", tower):
                for part in parts:
                    freeze(self.clip.get_submodule(part))
        if config.zero_shot:
            self.requires_grad_(False)
        self._text_learns = any(parameter.requires_grad for parameter in self.clip.text_model.parameters())
        if not self._text_learns:
            self.register_buffer("known", self._describe().detach(), persistent=False)
            self.register_load_state_dict_post_hook(_describe_again)  # type: ignore[no-untyped-call]

    def forward(self, clips: Tensor) -> Tensor:
        """Logits float32 [B, 2] of clips float32 [B, F, 3, 224, 224], RGB, 0 black to 1 white."""
        return self.compared(self.video(clips), self.described())

    def compared(self, video: Tensor, described: Tensor) -> Tensor:
        """Scaled cosines [B, K] of videos [B, D] with classes [K, D], whatever their lengths."""
        return self.scale.exp() * functional.normalize(video, dim=-1) @ functional.normalize(described, dim=-1).T

    def video(self, clips: Tensor) -> Tensor:
        """Embeddings [B, D] of clips [B, F, 3, 224, 224]."""
        side = int(self.clip.config.vision_config.image_size)
        check_shape("clips", clips, (None, None, 3, side, side))
        pixels = (clips.flatten(0, 1) - self.mean) / self.deviation
        frames = self.clip.visual_projection(self.clip.vision_model(pixel_values=pixels).pooler_output)
        return self.temporal(frames.unflatten(0, clips.shape[:2]))  # type: ignore[no-any-return]

    def described(self) -> Tensor:
        """Embeddings [2, D] of what the classes look like, each the mean of its sentences' directions."""
        return self._describe() if self._text_learns else self.known

    def _describe(self) -> Tensor:
        pooled = self.clip.text_model(input_ids=self.ids.flatten(0, 1), attention_mask=self.mask.flatten(0, 1))
        sentences = functional.normalize(self.clip.text_projection(pooled.pooler_output), dim=-1)
        return sentences.reshape(*self.ids.shape[:2], -1).mean(1)

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """CLIP's towers, which learn at a thousandth of the rate of all else, if at all."""
        yield from self.clip.parameters()


@torch.no_grad()
def _describe_again(model: EmoClip, _: Any) -> None:
    """The text tower may have other weights now."""
    model.known = model._describe()


def descriptions(paraphrases: bool) -> list[list[str]]:
    """Sentences of each class, in the order of the logits; equally many of each."""
    table: dict[str, list[str]] = yaml.safe_load(DESCRIPTIONS.read_text(encoding="utf-8"))
    return [table[name] if paraphrases else table[name][:1] for name in CLASSES]


def _clip(folder: Path, sentences: list[list[str]]) -> tuple[Any, Tensor, Tensor]:
    """CLIP of a folder, and the tokens and mask int64 [K, P, L] of P sentences for each of K classes."""
    clip, tokenizer = load_clip(folder)
    most = int(clip.config.text_config.max_position_embeddings)
    flat = [sentence for own in sentences for sentence in own]
    tokens = tokenizer(flat, padding="max_length", truncation=True, max_length=most, return_tensors="pt")
    shape = (len(sentences), len(sentences[0]))
    return clip, tokens["input_ids"].unflatten(0, shape), tokens["attention_mask"].unflatten(0, shape)
