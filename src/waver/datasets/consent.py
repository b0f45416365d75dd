"""What each participant allowed, and the names under which aggregates may mention them.

Everybody in the data set agreed to research use. Being shown in a publication, and being used in a
challenge, are asked separately (dataset paper, ethics section). Where the answer is not known, not plain, or given
in two ways, it is no.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from waver.datasets.exclusions import Row, exclusion_row
from waver.io.tables import PARTICIPANTS, read_table

Purpose = Literal["publication", "challenge"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

_ACCEPTED = {"yes": True, "true": True, "no": False, "false": False}
_NAME_LETTERS = 5
"""Letters of a pseudonym, of 32: more where two participants would have the same."""
_PSEUDONYM = re.compile(rf"P-[A-Z2-7]{{{_NAME_LETTERS},}}(?![A-Za-z0-9])")
_SAME_NUMBER = (
    (re.compile(r"(?<=[0-9])o(?=[0-9o])"), "0"),
    (re.compile(r"(?<=[0-9])[il](?=[0-9il])"), "1"),
    (re.compile(r"[.,]0+$"), ""),
    (re.compile(r"(?<=[0-9])[^a-z0-9](?=[0-9]{3}(?![0-9]))"), ""),
    (re.compile(r"^[^\w]+|[^\w]+$"), ""),
    (re.compile(r"(?<=[a-z])[^\w]+(?=[0-9])"), ""),
    (re.compile(r"(?<![0-9])0+(?=[0-9])"), ""),
)
"""What people write in a number that leaves it the same: O and l, decimals of a spreadsheet, thousands, zeros."""
_POWER = re.compile(r"([0-9])(?:[.,]([0-9]+))?e\+?([0-9]{1,2})")
"""As spreadsheets write a long number: ``8.0001E+04``."""
_PREFIXED = re.compile(r"[a-z]{1,12}([0-9]{4,})")
"""A number with letters before it (``P80001``), which may be meant for the number alone, and the other way round."""
_MOST_NOTES = 8
"""Marks in an id before which another id may end (``80001 (withdrawn)``)."""
_LOOKALIKES = str.maketrans("асеһіјорѕухαορν", "acehijopsyxaopv")
"""Small letters of Cyrillic and Greek, and those of Latin that look the same."""


@dataclass(frozen=True)
class Consent:
    """Who said yes, by purpose.

    Attributes:
        publication: participants who may be shown in a publication.
        challenge: participants whose data may be used in challenges.
    """

    publication: frozenset[str] = frozenset()
    challenge: frozenset[str] = frozenset()

    @classmethod
    def load(cls, participants: str | Path) -> Consent:
        """Read it from the participants table.

        Raises:
            WaverError: the table cannot be read.
        """
        rows = read_table(participants, PARTICIPANTS)
        return cls(
            frozenset(row["participant"] for row in rows if row["consent_publication"]),
            frozenset(row["participant"] for row in rows if row["consent_challenge"]),
        )

    def may(self, participant: str, purpose: Purpose) -> bool:
        """Whether a participant allowed a purpose; one who is not known did not.

        Raises:
            ValueError: the purpose is none of those asked for.
        """
        if purpose == "publication":
            return participant in self.publication
        if purpose == "challenge":
            return participant in self.challenge
        raise ValueError(f"no participant was asked about {purpose!r}")


@dataclass(frozen=True)
class Statement:
    """One record, or one line of a table, about what a participant allows.

    Attributes:
        participant: participant id.
        written: the id as the file has it, without blanks around it.
        answers: purpose -> every value that is given for it, as text; empty where nothing was answered.
    """

    participant: str
    written: str
    answers: Mapping[Purpose, Sequence[str]]


def yes_no(text: str) -> bool | None:
    """True or False from yes, true, no or false in any case, with blanks around it; None from anything else."""
    return _ACCEPTED.get(text.strip().lower())


def near(text: str) -> str:
    """Equal for ids that people may take for one.

    Case, blanks, forms of characters, accents, marks at the ends, and ways to write a number do not count.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_LOOKALIKES)
    kept = (c for c in folded if c != "_" and unicodedata.category(c)[0] not in "ZCM")
    alike = "".join(str(unicodedata.decimal(c, c)) for c in kept)
    if power := _POWER.fullmatch(alike):
        whole, part, zeros = power[1], power[2] or "", int(power[3])
        alike = whole + part.ljust(zeros, "0") if len(part) <= zeros else alike
    for written, same in _SAME_NUMBER:
        alike = written.sub(same, alike)
    return alike or text


def decide(statements: Iterable[Statement], participants: Iterable[str], exclusions: list[Row]) -> Consent:
    """Who of the participants said yes, by purpose: each of their statements, and of near ids, is one plain yes.

    Args:
        statements: all of the data set, of participants in no split, too.
        participants: ids to decide for; one without a statement consented to nothing.
        exclusions: gets a row for each answer of a participant that is not plain, and for each contradiction.
    """
    texts: dict[tuple[str, Purpose], list[str]] = defaultdict(list)
    own: dict[tuple[str, Purpose], set[bool | None]] = defaultdict(set)
    of_near: dict[tuple[str, Purpose], set[bool | None]] = defaultdict(set)
    perhaps: dict[tuple[str, Purpose], set[bool | None]] = defaultdict(set)
    nears: dict[str, set[str]] = defaultdict(set)
    for one in statements:
        alike = near(one.written)
        nears[one.participant].add(alike)
        for purpose in PURPOSES:
            own[one.participant, purpose].add(_answer(one, purpose))
            of_near[alike, purpose].add(_answer(one, purpose))
            for other in _meant(one.written, alike):
                perhaps[other, purpose].add(_answer(one, purpose))
            texts[one.participant, purpose] += one.answers.get(purpose, ())
    yes: dict[Purpose, set[str]] = {purpose: set() for purpose in PURPOSES}
    for who in sorted(set(participants) & nears.keys()):
        for purpose in PURPOSES:
            bare = {number[1] for one in nears[who] if (number := _PREFIXED.fullmatch(one))}
            answers = set().union(*(of_near[one, purpose] for one in nears[who] | bare))
            answers |= set().union(*(perhaps[one, purpose] for one in nears[who]))
            if answers == {True}:
                yes[purpose].add(who)
            elif None in own[who, purpose] and any(texts[who, purpose]):
                exclusions.append(_listed(who, f"its consent to {purpose} is not one plain yes or no and counts as no"))
            elif True in own[who, purpose]:
                exclusions.append(_listed(who, f"its consent to {purpose} is given in two ways and counts as no"))
    return Consent(frozenset(yes["publication"]), frozenset(yes["challenge"]))


def _meant(written: str, alike: str) -> set[str]:
    """Other ids that a record may be meant for: its number alone, or what stands before a note."""
    ends = [mark.start() for mark in re.finditer(r"[\W_]+", written.strip())][:_MOST_NOTES]
    number = _PREFIXED.fullmatch(alike)
    return {near(written.strip()[:end]) for end in ends if end} | ({number[1]} if number else set())


def _answer(statement: Statement, purpose: Purpose) -> bool | None:
    """The answer; None where it is none, not plain, or given twice."""
    values = statement.answers.get(purpose, ())
    return yes_no(values[0]) if len(values) == 1 else None


def _listed(participant: str, reason: str) -> Row:
    return exclusion_row(
        participant, reason, "write yes or no once for each participant, with the id in quotes", participant
    )


def pseudonyms(participants: Iterable[str], secret: bytes) -> dict[str, str]:
    """Names such as ``P-K7Q2M`` of participants: the same in every run of a site, and without the secret untraceable.

    Args:
        participants: participant ids; repetitions count once.
        secret: of the site and the data set (``waver.io.site_secret``).
    """
    drawn = {one: _drawn(one, secret) for one in set(participants)}
    length = _NAME_LETTERS
    while len({name[:length] for name in drawn.values()}) < len(drawn):
        length += 1
    return {one: f"P-{name[:length]}" for one, name in sorted(drawn.items())}


def is_pseudonym(name: str, participant: str, secret: bytes) -> bool:
    """Whether a name is one that ``pseudonyms`` gives a participant, however many letters it took."""
    letters = name.removeprefix("P-")
    return name != letters and len(letters) >= _NAME_LETTERS and _drawn(participant, secret).startswith(letters)


def is_any_pseudonym(recording: str) -> bool:
    """Whether the name of a recording begins like one that ``pseudonyms`` gives, whoever it is."""
    return _PSEUDONYM.match(recording) is not None


def learner_mark(participant: str, secret: bytes) -> str:
    """By which a site knows whether a model that it gave away learnt from a participant; nobody else can tell."""
    return hmac.new(secret, b"learnt from " + participant.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()


def _drawn(participant: str, secret: bytes) -> str:
    code = hmac.new(secret, participant.encode(errors="surrogateescape"), hashlib.sha256).digest()
    return base64.b32encode(code).decode()
