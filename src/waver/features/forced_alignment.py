"""When known words are said: forced alignment with a CTC model, as WhisperX does it (Bain et al., Interspeech 2023).

A wav2vec 2.0 that writes letters tells how probable each letter is in each 20 ms. Of all ways to spread the words'
letters over the time in which they are said, the most probable is taken (``whisperx.alignment``, two weaknesses of
which are met: letters that last, and sound that no word is written for).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from waver.device import encoder_settings
from waver.errors import WaverError
from waver.features.audio.windows import AS_IT_IS, in_windows, scale_of, timing
from waver.features.samples import RATE_HZ, Samples
from waver.features.spoken import Times
from waver.models.pretrained_folder import LOCAL, read_model, reading_folder
from waver.models.text.cue_counts import normalised
from waver.models.text.pretrained_encoder import check_complete

Floats = npt.NDArray[np.float32]

_UNKNOWN = -1
"""Stands for a letter or digit that the model does not write: any sound but silence."""
_MOST_STATES = 2**27
"""Frames times letters of one alignment; its table takes half a gigabyte then, and half an hour of speech is less."""


@dataclass(frozen=True)
class Letters:
    """What a CTC model writes.

    Attributes:
        numbers: lower-case letter -> its output.
        blank: output of no letter.
        between: output of the border between words; None where the model writes none.
    """

    numbers: Mapping[str, int]
    blank: int
    between: int | None


class Aligner:
    """A frozen CTC model of letters in a folder of the transformers library.

    Args:
        folder: of a wav2vec 2.0 (HuBERT, WavLM) for CTC at 16 kHz with its tokenizer.
        role: under which the config gives the folder, for messages.
        device: where it runs.

    Raises:
        WaverError: the folder holds no such model.
    """

    def __init__(self, folder: Path, role: str, device: torch.device) -> None:
        if find_spec("whisperx") is None:
            raise WaverError(
                "forced alignment needs whisperx; run `make setup`, or install the pins of envs/ (docs/quickstart.md)"
            )
        disable_progress_bar()
        with reading_folder(folder, "CTC model of letters", f"correct models.paths.{role}"):
            extractor = AutoFeatureExtractor.from_pretrained(folder, **LOCAL)
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
            model, found = read_model(AutoModelForCTC, folder, output_loading_info=True, **encoder_settings(device))
            if not hasattr(model.config, "conv_kernel") or not hasattr(extractor, "do_normalize"):
                raise WaverError(f"a {model.config.model_type} model takes no waveforms")
            if extractor.sampling_rate != RATE_HZ:
                raise WaverError(f"it wants {extractor.sampling_rate} samples a second, not {RATE_HZ}")
            self._letters = _letters(tokenizer, model.config)
        check_complete(folder, found, "CTC model of letters", role, unused=("masked_spec_embed",))
        self._model, self._device = model.eval().to(device), device
        self._scaled = bool(extractor.do_normalize)

    def __call__(self, samples: Samples) -> Times:
        """Listen to a recording, [S] at 16 kHz."""
        scale = scale_of(samples) if self._scaled else AS_IT_IS
        heard = [own for _, (own,) in in_windows(samples, self._model.config, self._emission, scale)]
        emission, step_s = torch.from_numpy(np.concatenate(heard)), timing(self._model.config)[0] / RATE_HZ

        def times(texts: Sequence[str], start_s: float, end_s: float) -> list[tuple[float, float]] | None:
            first, end = (min(max(round(at_s / step_s), 0), len(emission)) for at_s in (start_s, end_s))
            found = align(emission[first:end], self._letters, texts)
            if found is None:
                return None
            return [((first + low) * step_s, (first + high) * step_s) for low, high in found]

        return times

    def _emission(self, heard: Floats) -> tuple[Floats]:
        with torch.inference_mode():
            logits = self._model(torch.from_numpy(heard)[None].to(self._device)).logits[0]
        return (torch.log_softmax(logits.float(), dim=-1).cpu().numpy(),)


def _letters(tokenizer: Any, config: Any) -> Letters:
    """The letters of a folder.

    Raises:
        WaverError: there are none, or more than the model has outputs.
    """
    vocabulary = {str(name): int(number) for name, number in tokenizer.get_vocab().items()}
    numbers = {name.lower(): number for name, number in vocabulary.items() if len(name) == 1 and name.isalnum()}
    numbers |= {name: number for name, number in vocabulary.items() if name in ("'", "-")}
    blank = config.pad_token_id
    if not any(map(str.isalpha, numbers)) or blank is None:
        raise WaverError("its tokenizer has no letters, or its settings name no blank (pad_token_id)")
    if max(*numbers.values(), blank) >= config.vocab_size:
        raise WaverError(f"its tokenizer has more letters than the model's {config.vocab_size} outputs")
    border = getattr(tokenizer, "word_delimiter_token", None)
    return Letters(numbers, int(blank), vocabulary.get(str(border)))


def align(emission: Tensor, letters: Letters, texts: Sequence[str]) -> list[tuple[int, int]] | None:
    """Frames of each text: the first, and the one after the last.

    Args:
        emission: float32 [K, V], log probabilities of the outputs in each frame.
        letters: what the outputs are.
        texts: words or pieces of words in order, those that begin a word with a leading blank.

    Returns:
        Of a text without letters, the frame where the one before ends, twice; None where no text has a letter that
        the model writes, where there are fewer frames than letters, or too many of both.
    """
    from whisperx.alignment import backtrack, get_trellis, merge_repeats  # seconds, and only where it is needed

    tokens, text_of_token = _spelled(letters, texts)
    if all(token == _UNKNOWN for token, text in zip(tokens, text_of_token, strict=True) if text is not None):
        return None
    if len(tokens) > len(emission) or len(tokens) * len(emission) > _MOST_STATES:
        return None
    goes_on = _goes_on(emission, letters.blank)
    emission = _repeats_as_blanks(emission, goes_on, letters.blank)
    if _UNKNOWN in tokens:
        loud = torch.ones(emission.shape[1], dtype=torch.bool)
        loud[letters.blank] = False
        emission = torch.cat([emission, emission[:, loud].max(dim=1, keepdim=True).values], dim=1)
    wanted = torch.tensor(tokens) % emission.shape[1]  # the unknown one is the last column
    emission, wanted = _to_the_end(emission, wanted)
    path = backtrack(get_trellis(emission, wanted, letters.blank), emission, wanted, letters.blank)
    if path is None:
        return None
    segments = merge_repeats(path, wanted)[:-1]
    spans: dict[int, tuple[int, int]] = {}
    for text, segment in zip(text_of_token, segments, strict=True):
        if text is not None:
            spans[text] = (spans.get(text, (segment.start, 0))[0], segment.end)
    # no border follows the last letter, which would reach to the end
    end = segments[-1].start + 1
    while end < segments[-1].end and goes_on[end]:
        end += 1
    spans[max(spans)] = spans[max(spans)][0], end
    found: list[tuple[int, int]] = []
    for number in range(len(texts)):
        before = found[-1][1] if found else spans[min(spans)][0]
        found.append(spans.get(number, (before, before)))
    return found


def _goes_on(emission: Tensor, blank: int) -> Tensor:
    """Frames in which the letter of the frame before is still the most probable, bool [K]."""
    best = emission.argmax(dim=1)
    return torch.cat([torch.zeros(1, dtype=torch.bool), (best[1:] == best[:-1]) & (best[1:] != blank)])


def _repeats_as_blanks(emission: Tensor, goes_on: Tensor, blank: int) -> Tensor:
    """Log probabilities in which a letter that goes on is as good as a blank.

    WhisperX's alignment has a letter in one frame and blanks after it. Of a model whose letters last, it would lose
    every further frame, and soon the words: a CTC model that repeats a letter writes it once.
    """
    found = emission.clone()
    found[goes_on, blank] = emission[goes_on].max(dim=1).values
    return found


def _to_the_end(emission: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """One more frame, and in it an output that the words end with.

    WhisperX's alignment ends with the last letter, wherever that is cheapest: it would rather leave sound over than
    pay for it, and move all words to the front.
    """
    frames, outputs = emission.shape
    longer = torch.full((frames + 1, outputs + 1), -torch.inf)
    longer[:-1, :-1] = emission
    longer[-1, -1] = 0
    return longer, torch.cat([wanted, torch.tensor([outputs])])


def _spelled(letters: Letters, texts: Sequence[str]) -> tuple[list[int], list[int | None]]:
    """Outputs for the letters of texts, and the text of each; None of a border between words."""
    tokens: list[int] = []
    text_of_token: list[int | None] = []
    for number, text in enumerate(texts):
        own = [token for letter in normalised(text) for token in _outputs(letter, letters.numbers)]
        if own and tokens and text[:1].isspace() and letters.between is not None:
            tokens.append(letters.between)
            text_of_token.append(None)
        tokens += own
        text_of_token += [number] * len(own)
    return tokens, text_of_token


def _outputs(letter: str, numbers: Mapping[str, int]) -> list[int]:
    """Output of a letter, else that of the letter without its accent; nothing for punctuation."""
    if letter in numbers:
        return [numbers[letter]]
    if not letter.isalnum():
        return []
    plain = unicodedata.normalize("NFKD", letter)
    return [numbers.get(part, _UNKNOWN) for part in plain if part.isalnum()]
