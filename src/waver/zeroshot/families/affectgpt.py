"""AffectGPT asked about a face and a voice, as the code released for BAH does.

Faces and sound become one token each, and one together; the transcript stands in the prompt as a subtitle. Sums over
time make the tokens, so that the order of the faces does not count (which faces are shown does: the released code chose
them by file names sorted as text, which is not an even choice; here the frames of the item are shown).
The release draws its answers at random, once; here they are scored, or written greedily.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.config.section import Section
from waver.features.audio.windows import scaled
from waver.features.samples import RATE_HZ
from waver.models.affectgpt.checkpoint import load_affectgpt
from waver.models.affectgpt.network import PLACES
from waver.models.vision_language.clip_folder import DEVIATION, MEAN
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Pictures, Prompt
from waver.zeroshot.families.transformers_model import TransformersModel, torch_dtype

NO_TRANSCRIPT = "[Transcript missing, use only audio/video]"
WRAPPER = (
    "###Human: The audio and video merged info is: <Multi><MultiHere></Multi>. The audio content is as follows: "
    "<Audio><AudioHere></Audio>. Meanwhile, we uniformly sample raw frames from the video and extract faces from these "
    "frames: <Video><FaceHere></Video>. The subtitle of this video is: <Subtitle>{subtitle}</Subtitle>. Now, please "
    "answer my question based on all the provided information. {question} ###Assistant: "
)
_TURN = "###"
"""Begins the next turn, which ends an answer."""
CLIPS = 8
CLIP_SAMPLES = 2 * RATE_HZ
_KEPT_SIDE = 112
"""Pixels in which the released programs keep faces, before they are brought to the encoder's size."""


class AffectGptConfig(Section):
    """It has no options."""


class AffectGptFamily(TransformersModel):
    """A loaded AffectGPT."""

    Config: ClassVar[type[Section]] = AffectGptConfig
    capabilities = Capabilities(video=True, audio=True)
    before_answer = ""

    @classmethod
    def load(cls, folder: Path, config: AffectGptConfig, dtype: Dtype) -> Self:
        """Read a folder, see ``waver.models.affectgpt.checkpoint``.

        Raises:
            WaverError: a part is missing, is of another kind or not whole.
        """
        network, tokenizer = load_affectgpt(folder, torch_dtype(dtype), torch.device("cpu"))
        tokenizer.add_tokens(list(PLACES), special_tokens=True)
        network.places = tuple(tokenizer.convert_tokens_to_ids(list(PLACES)))
        return cls(network, tokenizer, config)

    def wrapped(self, item: Item, prompt: Prompt) -> str:
        """As released, the transcript as the subtitle; without one the subtitle says so."""
        return WRAPPER.format(subtitle=prompt.transcript or NO_TRANSCRIPT, question=prompt.question.rstrip())

    def answer_ids(self, wrapped: str, answers: Answers) -> list[list[int]]:
        """Tokens of each answer by itself: in training too the prompt, with its last space, was tokenised apart."""
        both = (answers.negative, answers.positive)
        return [self.tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in both]

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """The tokens of face and voice, [B, 3, D]."""
        faces, sounds = [], []
        for item in items:
            assert item.frames is not None
            assert item.sound is not None
            faces.append(torch.from_numpy(face_pixels(item.frames, self.model.side)))
            sounds.append(torch.from_numpy(sound_clips(item.sound)))
        return {"tokens": self.model.tokens(torch.stack(faces), torch.stack(sounds))}

    def _ends(self) -> set[int]:
        """The tokens that end an answer, and the one that begins another turn."""
        return super()._ends() | {self.tokenizer(_TURN, add_special_tokens=False)["input_ids"][0]}


def face_pixels(faces: Pictures, side: int) -> npt.NDArray[np.float32]:
    """Faces as CLIP's image tower takes them, float32 [N, 3, side, side], from RGB uint8 [N, H, W, 3]."""
    kept = [cv2.resize(face, (_KEPT_SIDE, _KEPT_SIDE), interpolation=cv2.INTER_AREA) for face in faces]
    shown = np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_LINEAR) for face in kept])
    pixels = (shown.astype(np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return cast(npt.NDArray[np.float32], np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def sound_clips(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Clips of 2 s at evenly spaced starts, float32 [8, 32000], together of mean 0 and variance 1.

    Args:
        samples: float32 [S] at 16 kHz; fewer than 2 s are followed by silence.
    """
    samples = np.pad(samples, (0, max(CLIP_SAMPLES - len(samples), 0)))
    starts = np.linspace(0, len(samples) - CLIP_SAMPLES, CLIPS).astype(np.int64)
    return scaled(np.stack([samples[start : start + CLIP_SAMPLES] for start in starts]))
