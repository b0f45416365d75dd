"""Which shard a participant belongs to."""

from __future__ import annotations

import hashlib

_WORD = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio


def shard_of(participant: str, shards: int) -> str:
    """Name of a participant's shard, ``000`` to ``<shards - 1>``.

    It depends on the participant alone, so that a new one moves nobody. Participant numbers are
    handed out one after the other; multiples of the golden ratio spread such numbers more evenly
    than a random hash does (Knuth, The Art of Computer Programming 3, section 6.4).

    Args:
        participant: participant id; one that is no number is hashed first.
        shards: number of shards.

    Raises:
        ValueError: there is no shard.
    """
    if shards < 1:
        raise ValueError(f"{shards} shards hold nobody")
    plain = participant.isascii() and participant.isdigit()
    number = int(participant) if plain else int(hashlib.sha256(participant.encode()).hexdigest()[:16], 16)
    return f"{(number * _GOLDEN % _WORD) * shards // _WORD:03d}"
