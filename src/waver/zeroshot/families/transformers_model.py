"""What families of causal language models of the transformers library share: scoring, writing, and their tokens."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from waver.device import torch_device
from waver.errors import ExcludedItem, WaverError, first_names
from waver.models.pretrained_folder import read_model
from waver.models.quantised import Quantisation, quantise
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Likelihood, Prompt, Scored, Written
from waver.zeroshot.families.shared_prefix import Positions, SharedPrefix, text_positions

_TAIL = 60
"""Characters of a prompt's end, with which an answer is tokenised."""
_LANGUAGE = "language_model"
"""Part of a model of pictures and text; a model of text alone has no such part."""
_ROOM = 400
"""Tokens of text for which frames leave room."""


class TransformersModel(ABC):
    """A model and its tokenizer; a family says how a prompt is wrapped and what the model sees.

    Attributes:
        before_answer: what stands between the wrapped prompt and an answer.
        quantisation: of the weights of the language model.
    """

    before_answer = " "
    quantisation: str = "none"

    def __init__(self, model: Any, tokenizer: Any, config: Any) -> None:
        """Of a loaded model, which is set to inference, and its tokenizer."""
        self.model, self.tokenizer, self.config = model.eval(), tokenizer, config
        self._parameters = sum(one.numel() for one in model.parameters())

    def ready(self, quantisation: Quantisation = "none") -> None:
        """Take the place where the model is asked: the device of this process, which it never fills unquantised.

        Args:
            quantisation: of the linear layers of the language model. Vision towers, projections, embeddings and the
                layer before the probabilities stay as they are.

        Raises:
            WaverError: it has no such layer.
        """
        if quantisation != "none":
            own, _ = language_part(self.model)
            quantise(self.model, quantisation, lambda name: name.startswith(own) and not name.endswith("lm_head"))
            self.quantisation = quantisation
        self.model.to(torch_device())

    # of each family ---------------------------------------------------------------------------------
    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What it takes."""

    @abstractmethod
    def wrapped(self, item: Item, prompt: Prompt) -> str:
        """Everything that the model is given, the placeholders of pictures included, up to the answer."""

    def pictures(self, items: Sequence[Item]) -> Mapping[str, Tensor]:
        """What the model takes with the tokens that all prompts share."""
        return {}

    def token_ids(self, wrapped: str) -> list[int]:
        """Tokens of a wrapped prompt."""
        ids: list[int] = self.tokenizer(wrapped, add_special_tokens=False)["input_ids"]
        return ids

    def positions(self, items: Sequence[Item]) -> Positions:
        """How the positions of a batch's tokens are counted."""
        return text_positions

    # of all -----------------------------------------------------------------------------------------
    @torch.inference_mode()
    def score(
        self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]], answers: Answers, likelihood: Likelihood
    ) -> list[list[Scored]]:
        """Both answers' probabilities, see ``Family.score``."""
        texts = self._texts(items, prompts)
        ids = self.answer_ids(texts[0][0], answers)
        rows = self._rows(texts, max(map(len, ids)))
        seen = self._seen(items, rows)
        found: list[list[Scored]] = [[Scored(0, 0, len(row)) for row in own] for own in rows]
        first = likelihood == "first_token" and ids[0][0] != ids[1][0]
        for number in seen.order():
            both = _first_tokens(seen, number, ids) if first else _whole_answers(seen, number, ids)
            for own, (negative, positive) in zip(found, both.tolist(), strict=True):
                own[number] = Scored(negative, positive, own[number].tokens)
        return found

    @torch.inference_mode()
    def generate(
        self,
        items: Sequence[Item],
        prompts: Sequence[Sequence[Prompt]],
        most_tokens: int,
        only: Answers | None = None,
    ) -> list[list[Written]]:
        """Greedy answers, see ``Family.generate``."""
        texts = self._texts(items, prompts)
        ids = self.answer_ids(texts[0][0], only) if only else []
        rows = self._rows(texts, most_tokens)
        seen = self._seen(items, rows)
        found = [[Written("", len(row)) for row in own] for own in rows]
        for number in seen.order():
            for own, tokens in zip(found, self._greedy(seen, number, most_tokens, ids), strict=True):
                text = self.tokenizer.decode(tokens, skip_special_tokens=True)
                own[number] = Written(text, own[number].tokens)
        return found

    def describe(self) -> Mapping[str, Any]:
        """Architecture, dtype, device and parameters."""
        return {
            "architecture": type(self.model).__name__,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": self.model.device.type,
            "parameters": self._parameters,
            "quantisation": self.quantisation,
        }

    def answer_ids(self, wrapped: str, answers: Answers) -> list[list[int]]:
        """Tokens of each answer behind a prompt: that without A/H, that with it.

        Raises:
            WaverError: the tokenizer joins the prompt's end with an answer.
        """
        tail = wrapped[-_TAIL:]
        before = self.tokenizer(tail, add_special_tokens=False)["input_ids"]
        found = []
        for answer in (answers.negative, answers.positive):
            ids = self.tokenizer(tail + self.before_answer + answer, add_special_tokens=False)["input_ids"]
            if ids[: len(before)] != before or len(ids) == len(before):
                raise WaverError(
                    f"the model's tokenizer joins the end of the prompt with the answer {answer!r}, whose probability "
                    "is then not that of its tokens; ask for other answers (zeroshot.prompt_set)"
                )
            found.append(ids[len(before) :])
        return found

    def prepared(self, item: Item, prompt: Prompt, answers: Answers) -> tuple[list[int], list[list[int]]]:
        """Tokens of a prompt about an item, and those of each answer behind it.

        Raises:
            ExcludedItem: they do not fit into the model.
        """
        texts = self._texts([item], [[prompt]])
        ids = self.answer_ids(texts[0][0], answers)
        return self._rows(texts, max(map(len, ids)))[0][0], ids

    def _texts(self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]]) -> list[list[str]]:
        return [
            [self.wrapped(item, self._defused(prompt)) for prompt in own]
            for item, own in zip(items, prompts, strict=True)
        ]

    def _defused(self, prompt: Prompt) -> Prompt:
        """The prompt without the tokenizer's own special tokens, which a transcript might spell out."""
        special = [one.content for one in self.tokenizer.added_tokens_decoder.values() if one.special]

        def plain(text: str) -> str:
            for token in special:
                text = text.replace(token, f"{token[0]} {token[1:]}") if len(token) > 1 else text
            return text

        return Prompt(plain(prompt.text), plain(prompt.question), plain(prompt.transcript))

    def _rows(self, texts: Sequence[Sequence[str]], room: int) -> list[list[list[int]]]:
        """Tokens of all prompts.

        Raises:
            ExcludedItem: one does not fit into the model, with ``room`` for the answer.
        """
        rows = [[self.token_ids(text) for text in own] for own in texts]
        longest = max(len(row) for own in rows for row in own) + room
        most = self.model.config.get_text_config().max_position_embeddings
        if longest > most:
            raise ExcludedItem(
                f"the prompt has {longest} tokens with its answer, and the model takes {most}",
                "ask with fewer frames (zeroshot.frames.number), or leave the item out",
            )
        return rows

    def _seen(self, items: Sequence[Item], rows: list[list[list[int]]]) -> SharedPrefix:
        pad = self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        return SharedPrefix(self.model, rows, self.pictures(items), pad or 0, self.positions(items))

    def _greedy(self, seen: SharedPrefix, number: int, most: int, only: Sequence[Sequence[int]]) -> list[list[int]]:
        """Tokens that are written after a prompt, of each item."""
        logits, ends = seen.ask(number)[:, -1], self._ends()
        written: list[list[int]] = [[] for _ in logits]
        open_rows = set(range(len(written)))
        for _ in range(max(map(len, only)) if only else most):
            tokens = torch.stack([_choice(row, own, only) for row, own in zip(logits, written, strict=True)])
            for row in sorted(open_rows):
                token = int(tokens[row])
                if not only and token in ends:
                    open_rows.discard(row)
                    continue
                written[row].append(token)
                if only and written[row] in [list(answer) for answer in only]:
                    open_rows.discard(row)
            if not open_rows:
                break
            logits = seen.go_on(tokens)
        return written

    def _ends(self) -> set[int]:
        """Tokens that end an answer."""
        own = getattr(self.model.generation_config, "eos_token_id", None)
        known = own if isinstance(own, list) else [own]
        return {int(token) for token in (*known, self.tokenizer.eos_token_id) if token is not None}


def _first_tokens(seen: SharedPrefix, number: int, ids: Sequence[Sequence[int]]) -> Tensor:
    """Log-probabilities float64 [B, 2] of the answers' first tokens."""
    logits = seen.ask(number)[:, -1].double().log_softmax(-1)
    return logits[:, [answer[0] for answer in ids]]


def _whole_answers(seen: SharedPrefix, number: int, ids: Sequence[Sequence[int]]) -> Tensor:
    """Log-probabilities float64 [B, 2] of all tokens of each answer, summed."""
    sums = []
    for answer in ids:
        logits = seen.ask(number, answer[:-1], len(answer)).double().log_softmax(-1)
        place = torch.arange(len(answer), device=logits.device)
        sums.append(logits[:, place, list(answer)].sum(-1))
    return torch.stack(sums, dim=-1)


def _choice(logits: Tensor, written: list[int], only: Sequence[Sequence[int]]) -> Tensor:
    """The most probable next token; of those that go on to one of ``only``, where there are any."""
    size = len(written)
    allowed = [answer[size] for answer in only if list(answer[:size]) == written and len(answer) > size]
    if not allowed:
        return logits.argmax()
    tokens = torch.tensor(allowed, device=logits.device)
    return tokens[logits[tokens].argmax()]


def frames_that_fit(model: Any, tokens_of_frame: int) -> int:
    """Frames for which a network has positions beside ``_ROOM`` tokens of text, at least one."""
    most = int(model.config.get_text_config().max_position_embeddings)
    return max((most - _ROOM) // tokens_of_frame, 1)


def language_part(model: Any) -> tuple[str, Any]:
    """Beginning of the names of what is below a model's language model, and that; all of a model of text alone."""
    parts = ((f"{name}.", part) for name, part in model.named_modules() if name.rpartition(".")[2] == _LANGUAGE)
    return next(parts, ("", model))


def read_network(kind: Any, folder: Path, dtype: Dtype, **packed: str) -> Any:
    """A model of a folder of pretrained files, on the CPU.

    Args:
        kind: class of the transformers library.
        folder: of the files.
        dtype: of the weights.
        packed: further arguments, of files that are packed.

    Raises:
        WaverError: the files lack parameters, which the library would draw at random, or are quantised already.
    """
    settings = folder / "config.json"
    content = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    if quantised := content.get("quantization_config"):
        raise WaverError(
            f"its weights are quantised ({quantised.get('quant_method', 'by an unknown method')}), which needs a "
            "library that Waver does not have; give them in 16 bits, and set zeroshot.quantisation"
        )
    model, found = read_model(kind, folder, dtype=torch_dtype(dtype), output_loading_info=True, **packed)
    if found["missing_keys"]:
        raise WaverError(f"it lacks {first_names(sorted(found['missing_keys']))}")
    return model


def torch_dtype(dtype: Dtype) -> torch.dtype:
    """Of the weights, on the device of this process."""
    if dtype == "auto":
        return torch.float16 if torch_device().type == "cuda" else torch.float32
    chosen: torch.dtype = getattr(torch, dtype)
    return chosen
