"""The guard between the subsets of a target participant, as wide as the config's features require.

Rules compute it and pass it to the jobs, so that these depend on the guard and not on the code of features.
"""

from __future__ import annotations

from waver.adaptation.protocol import LEAST_GUARD_S, Guard
from waver.config.sections import FeaturesConfig
from waver.features.receptive_fields import receptive_fields, shared_s


def guard_for(protocol: str, modalities: str, features: FeaturesConfig) -> Guard:
    """The guard of a protocol; none of ``frame_random``, whose frames are neighbours.

    Args:
        protocol: name of the protocol.
        modalities: letters of the source model's input.
        features: how they are made.
    """
    if protocol != "block":
        return Guard()
    fields = receptive_fields(modalities, features)
    beyond = dict.fromkeys(clause for field in fields for clause in field.beyond)
    return Guard(max(LEAST_GUARD_S, shared_s(fields)), tuple(beyond))


def picture_guard(protocol: str, features: FeaturesConfig) -> Guard:
    """The guard of methods that look at faces themselves, in frames without one too.

    Args:
        protocol: name of the protocol.
        features: how faces are found.
    """
    found = guard_for(protocol, "V", features)
    # waver.features.faces: what is stored of such a frame; features of it are not valid, and zeros in a model's input
    shown = "a frame without a face shows the last one found, or the first"
    return found._replace(beyond=(*found.beyond, shown)) if protocol == "block" else found
