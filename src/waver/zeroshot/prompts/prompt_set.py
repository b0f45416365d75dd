"""Sets of prompts: read from a file, checked, and filled with what was said."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from waver.config.section import Section
from waver.datasets.bah.release_yaml import read_yaml
from waver.errors import WaverError
from waver.zeroshot.answers import Answers

SLOTS = ("transcript", "cues", "timeline")
"""What a prompt may have put in, in braces: the words of the answer, and its cues as sentences or as a timeline."""

LETTERS = ("A", "B")
_OPTIONS = "options"

PUBLISHED = ("released", "bah2025", "paper2026")
"""Sets of the papers and of their program, whose ids name the rows of the papers' tables."""

Label = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,80}$")]
"""One line, as tables of the report show it."""
PromptId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,23}$")]
_SLOT = re.compile(r"\{([a-z_]+)\}")


class Options(Section):
    """What two letters stand for, in one order and in the other, so that a model's liking of a letter cancels out.

    Attributes:
        positive, negative: what A/H and none are called.
    """

    positive: str = Field(min_length=1)
    negative: str = Field(min_length=1)

    @model_validator(mode="after")
    def _stand_for_themselves(self) -> Options:
        if slot := _SLOT.search(self.positive + self.negative):
            raise ValueError(f"an option holds {slot[0]}; put it into the text")
        return self


class Prompt(Section):
    """One prompt: the user's turn, without the wrapper of a chat.

    Attributes:
        label: as tables name it.
        text: with the slots in braces; all other braces stand for themselves.
        answers: where they differ from those of the set.
        options: of a prompt that asks for a letter, which stand in the place of ``{options}``.
    """

    label: Label
    text: str
    answers: Answers | None = None
    options: Options | None = None

    @field_validator("text")
    @classmethod
    def _has_known_slots(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("the prompt is empty")
        if unknown := sorted(set(_SLOT.findall(text)) - {*SLOTS, _OPTIONS}):
            raise ValueError(f"{{{unknown[0]}}} is none of {', '.join(f'{{{slot}}}' for slot in SLOTS)}")
        return text

    @model_validator(mode="after")
    def _has_its_options(self) -> Prompt:
        if (self.options is not None) != (_OPTIONS in _SLOT.findall(self.text)):
            raise ValueError("options and {options} in the text go together")
        return self

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of what has to be put in, in their order."""
        return tuple(slot for slot in dict.fromkeys(_SLOT.findall(self.text)) if slot != _OPTIONS)

    def orders(self) -> tuple[tuple[Prompt, Answers | None], ...]:
        """The prompt with its options in either order, and what it then asks for; without options itself alone."""
        if self.options is None:
            return ((self, self.answers),)
        both = (self.options.positive, self.options.negative)
        return tuple(
            (self._ordered(*said), Answers(positive=letter, negative=other))
            for said, letter, other in ((both, *LETTERS), (both[::-1], *LETTERS[::-1]))
        )

    def _ordered(self, first: str, second: str) -> Prompt:
        lines = "\n".join(f"{letter}. {said}" for letter, said in zip(LETTERS, (first, second), strict=True))
        text = self.text.replace(f"{{{_OPTIONS}}}", lines)
        return self.model_copy(update={"text": text, "options": None})

    @property
    def sha256(self) -> str:
        """Of the text with empty slots, as hex: it identifies the prompt and holds nothing of a person."""
        (prompt, _), *_ = self.orders()
        return hashlib.sha256(prompt.text.encode()).hexdigest()

    def render(self, said: Mapping[str, str]) -> str:
        """The prompt with its slots filled; what is put in is never read as a template.

        Args:
            said: slot -> text, of every slot of the prompt; blanks around it are dropped, nothing else changes.
        """
        return _SLOT.sub(lambda slot: said[slot[1]].strip(), self.text)


class PromptSet(Section):
    """Prompts that are asked together, and the answers that they ask for."""

    name: Label
    answers: Answers
    prompts: dict[PromptId, Prompt] = Field(min_length=1)

    @model_validator(mode="after")
    def _labels_differ(self) -> PromptSet:
        labels = [prompt.label for prompt in self.prompts.values()]
        if twice := next((label for label in labels if labels.count(label) > 1), None):
            raise ValueError(f"two prompts have the label {twice!r}")
        if lettered := [name for name, one in self.prompts.items() if one.options and one.answers]:
            raise ValueError(f"{lettered[0]} has options, and asks for a letter; take its answers out")
        return self

    def answers_of(self, prompt: str) -> Answers:
        """The answers that a prompt asks for; of one with options, in their first order."""
        (_, own), *_ = self.prompts[prompt].orders()
        return own or self.answers

    def chosen(self, names: tuple[str, ...]) -> dict[str, Prompt]:
        """Some of the prompts, in the order of the names.

        Raises:
            WaverError: the set has no prompt of such a name.
        """
        if unknown := [name for name in names if name not in self.prompts]:
            known = ", ".join(self.prompts)
            raise WaverError(f"zeroshot.prompts has {unknown[0]}, which {self.name} lacks; choose among: {known}")
        return {name: self.prompts[name] for name in names}


def prompt_file(name: str) -> Path | None:
    """File of a set that Waver brings, or of the user: a name that ends with ``.yaml`` is a path; None: no such."""
    if not name.endswith((".yaml", ".yml")):
        return Path(__file__).with_name(f"{name}.yaml") if name in shipped_sets() else None
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name that no file can have, or the home of nobody
        return None


def shipped_sets() -> tuple[str, ...]:
    """Names of the sets that Waver brings."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.yaml")))


def read_prompts(name: str) -> PromptSet:
    """A set of prompts, by its name or its path.

    Raises:
        WaverError: there is no such set, or the file is none.
    """
    path = prompt_file(name)
    if path is None:
        known = ", ".join(shipped_sets())
        raise WaverError(f"zeroshot.prompt_set: there is no {name}; give the path of a .yaml file, or {known}")
    loaded = read_yaml(path)
    if not isinstance(loaded, dict):
        raise WaverError(f"{path} is no table; give it answers and prompts, as docs/zeroshot_prompts.md shows")
    try:
        found = PromptSet(**{"name": path.stem} | _named(loaded))
    except (ValidationError, TypeError) as error:
        raise WaverError(f"{path}: {_first(error)}; correct it (docs/zeroshot_prompts.md)") from None
    if found.name in shipped_sets() and path != prompt_file(found.name):
        raise WaverError(
            f"{path} is called {found.name}, as a set that Waver brings, and tables could not tell them apart; rename "
            "the file, or give it a name of its own (name: ...)"
        )
    return found


def _named(loaded: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in loaded.items()}


def _first(error: ValidationError | TypeError) -> str:
    """The first thing that is wrong, in one sentence."""
    if isinstance(error, TypeError):
        return str(error)
    wrong = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in wrong["loc"] if part != "[key]")
    return ": ".join(filter(None, [place, str(wrong["msg"]).removeprefix("Value error, ")]))


def check_published(prompts: Mapping[str, Prompt]) -> None:
    """The papers' tables find their rows by the ids of prompts: another text needs another id.

    Raises:
        WaverError: a prompt has the id of a published one, and a text of its own.
    """
    published = [read_prompts(one).prompts for one in PUBLISHED]
    for name, prompt in prompts.items():
        texts = [own[name].text for own in published if name in own]
        if texts and prompt.text not in texts:
            raise WaverError(
                f"zeroshot.prompt_set: {name} is the id of a published prompt, whose row in the papers' tables another "
                "text would fill; give yours another id"
            )


def vicuna_turn(text: str, media: str = "<video>\n") -> str:
    """The whole input of Video-LLaVA: exactly one blank stands before ``ASSISTANT:``.

    Args:
        text: the user's turn, filled.
        media: what stands for the video; empty for a text alone.
    """
    return f"USER: {media}{text.rstrip(' ')} ASSISTANT:"
