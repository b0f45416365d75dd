"""Any CLIP checkpoint as one encoder whose parts the methods of adaptation need.

The image tower gives features before the projection, and the tokens that enter each of its blocks; the text tower takes
embeddings in the place of words, so that a prompt can be learnt. Prompts may enter both towers in further blocks, as in
MaPLe (Khattak et al., CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.errors import WaverError
from waver.models.freeze import freeze
from waver.models.vision_language.clip_folder import DEVIATION, MEAN, load_clip
from waver.shapes import check_shape


class Tokens(NamedTuple):
    """Tokenised texts.

    Attributes:
        ids: int64 [N, L], special tokens and padding included.
        end: int64 [N], position of the end token, where the text tower is read.
    """

    ids: Tensor
    end: Tensor


class SeenImage(NamedTuple):
    """What the image tower makes of pictures.

    Attributes:
        pre: float32 [B, Du], before the projection.
        entering: tokens that enter each block, after prompts were put in, float32 [B, P, Du] each.
    """

    pre: Tensor
    entering: list[Tensor]


class VisionLanguageEncoder(nn.Module):
    """A frozen CLIP.

    Attributes:
        side: side of its pictures, pixels.
        width: D, values of an embedding.
        image_width: Du, values of a picture before the projection.
        text_width: Dt, values of a token and of a text before the projection.
        image_projection: float32 [Du, D].
        text_projection: float32 [Dt, D].
        scale: factor of the cosines.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        """Of a CLIPModel and its tokenizer; the model is frozen."""
        super().__init__()
        self.clip = freeze(clip)
        self._tokenizer = tokenizer
        self.side = int(clip.config.vision_config.image_size)
        self.width = int(clip.config.projection_dim)
        self.image_width = int(clip.config.vision_config.hidden_size)
        self.text_width = int(clip.config.text_config.hidden_size)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    @property
    def scale(self) -> float:
        """The exponential of CLIP's temperature, 100 in the published checkpoints."""
        return float(self.clip.logit_scale.exp())

    @property
    def image_projection(self) -> Tensor:
        projection: Tensor = self.clip.visual_projection.weight.T
        return projection

    @property
    def text_projection(self) -> Tensor:
        projection: Tensor = self.clip.text_projection.weight.T
        return projection

    @property
    def device(self) -> torch.device:
        return self.mean.device

    # pictures ---------------------------------------------------------------------------------------
    def scaled(self, pixels: Tensor) -> Tensor:
        """Pictures float32 [B, 3, side, side] as the tower takes them, of RGB from 0 black to 1 white."""
        check_shape("pixels", pixels, (None, 3, self.side, self.side))
        return (pixels - self.mean) / self.deviation

    def resized(self, pictures: Tensor) -> Tensor:
        """Square pictures uint8 [B, S, S, 3], RGB, as float32 [B, 3, side, side] from 0 to 1 (bicubic, as CLIP's)."""
        pixels = pictures.to(self.device).permute(0, 3, 1, 2).float() / 255
        if pixels.shape[-1] == self.side:
            return pixels
        sides = (self.side, self.side)
        return functional.interpolate(pixels, sides, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)

    def see(self, pixels: Tensor, prompts: Sequence[Tensor] = ()) -> SeenImage:
        """Pass pictures through the image tower.

        Args:
            pixels: float32 [B, 3, side, side], from 0 to 1.
            prompts: tokens [n, Du] that join the picture's own; those after the first replace them before the next
                blocks.
        """
        tower = self.clip.vision_model
        tokens = tower.embeddings(self.scaled(pixels))
        if prompts:
            tokens = torch.cat([tokens, prompts[0].expand(len(tokens), -1, -1)], dim=1)
        tokens = tower.pre_layrnorm(tokens)
        entering = []
        for number, block in enumerate(tower.encoder.layers):
            if 0 < number < len(prompts):
                own = tokens[:, : -len(prompts[number])]
                tokens = torch.cat([own, prompts[number].expand(len(tokens), -1, -1)], dim=1)
            entering.append(tokens)
            tokens = block(tokens, None)
        return SeenImage(tower.post_layernorm(tokens[:, 0]), entering)

    # texts ------------------------------------------------------------------------------------------
    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Tokens of texts, padded to the longest of them.

        Raises:
            WaverError: a text is too long for the text tower.
        """
        most = int(self.clip.config.text_config.max_position_embeddings)
        last = int(self._tokenizer.eos_token_id)
        rows = [self._tokenizer(text)["input_ids"] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > most:
                raise WaverError(f"the prompt {text!r} has {len(row)} tokens, CLIP takes {most}; shorten it")
        ids = torch.full((len(rows), max(map(len, rows))), last)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
        end = torch.tensor([row.index(last) for row in rows])
        return Tokens(ids.to(self.device), end.to(self.device))

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings float32 [N, L, Dt] of token ids int64 [N, L], without positions."""
        embedded: Tensor = self.clip.text_model.embeddings.token_embedding(ids)
        return embedded

    def read(self, embedded: Tensor, end: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        """Pass texts through the text tower.

        Args:
            embedded: float32 [N, L, Dt], embeddings of their tokens, without positions.
            end: int64 [N], position where the tower is read.
            prompts: tokens [n, Dt] that take the place of positions 1 to n before the second block, the third, ...

        Returns:
            float32 [N, Dt], before the projection.
        """
        tower = self.clip.text_model
        length = int(end.max()) + 1  # a token does not see those after it
        tokens = tower.embeddings(inputs_embeds=embedded[:, :length])
        mask = torch.full((length, length), torch.finfo(tokens.dtype).min, device=tokens.device, dtype=tokens.dtype)
        mask = mask.triu(1)[None, None]
        for number, block in enumerate(tower.encoder.layers):
            if 0 < number <= len(prompts):
                deep = prompts[number - 1]
                deeper = deep.expand(len(tokens), -1, -1)
                tokens = torch.cat([tokens[:, :1], deeper, tokens[:, 1 + len(deep) :]], dim=1)
            tokens = block(tokens, mask)
        read: Tensor = tower.final_layer_norm(tokens)[torch.arange(len(end), device=tokens.device), end]
        return read

    def read_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts before the projection, float32 [N, Dt]."""
        tokens = self.tokens(texts)
        return self.read(self.embed(tokens.ids), tokens.end)


def load_vision_language(folder: Path, device: torch.device | None = None) -> VisionLanguageEncoder:
    """The encoder of a CLIP folder, frozen, in float32, on its device.

    Raises:
        WaverError: the folder holds no CLIP checkpoint, or no tokenizer.
    """
    clip, tokenizer = load_clip(folder)
    return VisionLanguageEncoder(clip, tokenizer).eval().to(device or torch.device("cpu"))
