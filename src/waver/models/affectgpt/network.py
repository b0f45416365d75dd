"""AffectGPT: one token each of a face, a voice and both together, read by a language model.

Of each clip CLIP gives one vector per face and HuBERT one per clip of sound. The fusion that its authors call
attention is a weighted sum over time whose weights are no probabilities: no softmax normalises them. The joint token
weighs the two means. Lian et al., "AffectGPT", ICML 2025, and their released code, whose names of parameters are kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from waver.shapes import check_shape

PLACES = ("<MultiHere>", "<AudioHere>", "<FaceHere>")
"""What stands for the joint token, the voice's and the face's in a prompt."""
_LAST_LAYERS = 4
"""Of HuBERT, whose mean is taken."""


class Projections(nn.Module):
    """The trained layers between the encoders and the language model.

    Args:
        face: D_f, size of a face's vector.
        voice: D_v, size of a vector of sound.
        words: D, size of a token of the language model.
    """

    def __init__(self, face: int, voice: int, words: int) -> None:
        super().__init__()
        both = max(face, voice)
        self.video_attention_mlp = nn.Linear(face, 1)
        self.affectgpt_proj = nn.Linear(face, words)
        self.audio_attention_mlp = nn.Linear(voice, 1)
        self.audio_llama_proj = nn.Linear(voice, words)
        self.multi_video_embs = nn.Linear(face, both)
        self.multi_audio_embs = nn.Linear(voice, both)
        self.attention_mlp = nn.Linear(2 * both, both)
        self.fc_att = nn.Linear(both, 2)
        self.multi_llama_proj = nn.Linear(both, words)

    def forward(self, faces: Tensor, sounds: Tensor) -> Tensor:
        """Faces [B, F, D_f] and clips of sound [B, C, D_v] as tokens [B, 3, D], in the order of PLACES."""
        face = self.affectgpt_proj((self.video_attention_mlp(faces) * faces).sum(1))
        voice = self.audio_llama_proj((self.audio_attention_mlp(sounds) * sounds).sum(1))
        pair = torch.stack([self.multi_video_embs(faces.mean(1)), self.multi_audio_embs(sounds.mean(1))], dim=1)
        weight = self.fc_att(self.attention_mlp(pair.flatten(1)))
        both = self.multi_llama_proj((weight[:, :, None] * pair).sum(1))
        return torch.stack([both, voice, face], dim=1)


class AffectGpt(nn.Module):
    """The encoders, the projections and the language model as one network, in eval mode.

    Attributes:
        side: side of the pictures of faces, pixels.
        places: ids of PLACES in the tokenizer's vocabulary; they need not be the language model's.
        projections: the layers between.
        language_model: a causal language model of the transformers library.
    """

    def __init__(self, clip: Any, hubert: Any, language_model: Any) -> None:
        """Of a CLIPModel, a HubertModel and a causal language model, all of one type."""
        super().__init__()
        self._clip, self._hubert, self.language_model = clip, hubert, language_model
        self.side = int(clip.config.vision_config.image_size)
        sizes = (clip.config.projection_dim, hubert.config.hidden_size, language_model.config.hidden_size)
        self.projections = Projections(*sizes).to(self.device, self.dtype)
        self.config, self.generation_config = language_model.config, language_model.generation_config
        self.places: tuple[int, ...] = (-1,) * len(PLACES)
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.language_model.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        return next(self.language_model.parameters()).dtype  # type: ignore[no-any-return]

    def activation_checkpointing_enable(self, options: dict[str, Any]) -> None:
        """As of a model of the transformers library; the encoders never learn."""
        self.language_model.activation_checkpointing_enable(options)

    @torch.no_grad()
    def tokens(self, faces: Tensor, sounds: Tensor) -> Tensor:
        """The three tokens of each answer.

        Args:
            faces: float32 [B, F, 3, side, side], as CLIP takes them.
            sounds: float32 [B, C, S], clips at 16 kHz, together of mean 0 and variance 1.

        Returns:
            [B, 3, D], in the order of PLACES.
        """
        check_shape("faces", faces, (None, None, 3, self.side, self.side))
        check_shape("sounds", sounds, (count := len(faces), None, None))
        pictures = faces.flatten(0, 1).to(self.device, self.dtype)
        seen = self._clip.get_image_features(pixel_values=pictures).pooler_output
        states = self._hubert(sounds.flatten(0, 1).to(self.device, self.dtype), output_hidden_states=True).hidden_states
        heard = torch.stack(states[-_LAST_LAYERS:]).mean(0).mean(1)
        found: Tensor = self.projections(*(x.reshape(count, -1, x.shape[-1]) for x in (seen, heard)))
        return found

    def forward(self, input_ids: Tensor, tokens: Tensor | None = None, **options: Any) -> Any:
        """The language model's output on tokens int64 [B, L]; ``tokens`` [B, 3, D] stand where ``places`` are."""
        wanted = torch.tensor(self.places, device=input_ids.device)
        here = input_ids[:, :, None] == wanted  # [B, L, 3]
        embedded = self.language_model.get_input_embeddings()(input_ids.masked_fill(here.any(-1), 0))
        if tokens is not None:
            check_shape("tokens", tokens, (len(input_ids), len(PLACES), None))
            embedded = torch.where(here.any(-1, keepdim=True), here.to(tokens.dtype) @ tokens, embedded)
        return self.language_model(inputs_embeds=embedded, **options)
