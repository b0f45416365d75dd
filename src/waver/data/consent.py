"""What each participant allowed, and the names under which aggregates may mention them.

Everybody in the data set agreed to research use. Being shown in a publication, and being used in a
challenge, are asked separately (dataset paper, ethics section); where the answer is not known it is no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from waver.store.tables import PARTICIPANTS, read_table

Purpose = Literal["publication", "challenge"]


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


def pseudonyms(participants: Iterable[str], salt: str) -> dict[str, str]:
    """Names P01, P02, ... of participants, in an order that the salt draws.

    Args:
        participants: participant ids; repetitions count once.
        salt: what makes the names one run's own, e.g. the run's name with a secret of the site.
    """
    drawn = sorted(set(participants), key=lambda one: hashlib.sha256(f"{salt}/{one}".encode()).digest())
    width = max(2, len(str(len(drawn))))
    return {one: f"P{number:0{width}d}" for number, one in enumerate(drawn, start=1)}
