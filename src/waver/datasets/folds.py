"""Folds of the cross-validation: who is held out together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from waver.errors import WaverError
from waver.provenance import digest

Folding = Literal["random", "numbers"]
"""Who is held out together: anybody, or people with neighbouring participant numbers."""


def dealt(participants: Iterable[str], parts: int, order: Callable[[str], object]) -> dict[str, int]:
    """Part of each participant, 0 to ``parts - 1``, dealt out one after the other by ``order`` and then by id."""
    people = sorted(set(participants), key=lambda person: (order(person), person))
    return {person: number % parts for number, person in enumerate(people)}


def folds_of(participants: Iterable[str], count: int, folding: Folding = "random") -> dict[str, int]:
    """Fold of each participant, 0 to ``count - 1``; folds differ by one participant at most.

    Folds depend on the ids alone, so that models of frames, of videos and of text, and all their seeds, hold
    out the same people. People who were recorded or annotated one after the other may have something in
    common; with ``numbers`` they are held out together, and only the edges of a fold have neighbours outside.

    Args:
        participants: participants of train and val; repetitions count once.
        count: number of folds, at least 2.
        folding: ``random``: dealt out in an order that has nothing to do with the numbers; ``numbers``: a fold
            is a stretch of participant numbers.

    Raises:
        WaverError: there are fewer participants than folds, or an id that is no number with ``numbers``.
    """
    if folding == "numbers":
        folds = _stretches(set(participants), count)
    else:
        folds = dealt(participants, count, lambda person: digest(["fold", person]))
    if len(folds) < count:
        raise WaverError(f"{len(folds)} participants of train and val do not fill {count} folds; lower train.folds")
    return folds


def _stretches(participants: set[str], count: int) -> dict[str, int]:
    wordy = sorted(person for person in participants if not person.isdecimal())
    if wordy:
        raise WaverError(f"participant {wordy[0]} has no number to make folds by; set train.folding to random")
    people = sorted(participants, key=lambda person: (int(person), person))
    return {person: rank * count // len(people) for rank, person in enumerate(people)}


def parts_of(fold_of: dict[str, int], held_out: int, count: int) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Participants to learn from, to choose the epoch with, and to predict, when a fold is held out.

    The next fold chooses, in a circle: no choice is made on the people whom it is judged by. With two
    folds the same half learns and chooses.
    """
    chooses = (held_out + 1) % count
    learn = [person for person, fold in fold_of.items() if fold != held_out and (fold != chooses or count == 2)]
    choose = [person for person, fold in fold_of.items() if fold == chooses]
    return learn, choose, [person for person, fold in fold_of.items() if fold == held_out]
