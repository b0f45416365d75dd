"""A trained fusion adapted to a person on that person's own new recordings, without a label.

The methods are those of ``waver.adaptation.fusion``. There they are scored on frames that they did not see; here they
see all frames of the person, and predict all of them. Those that work on the stream see the frames in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from waver.adaptation.fusion.network import FusionNetwork
from waver.adaptation.fusion.runner import layout_of
from waver.adaptation.fusion.windows import fusion_view
from waver.adaptation.networks import not_applicable
from waver.adaptation.participants import Target
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.source_model import Source
from waver.errors import WaverError
from waver.predict.methods import NONE
from waver.predict.trained import Trained
from waver.provenance import seed_for
from waver.training.corpus import VideoSample
from waver.training.frames.checkpoint import build_model
from waver.training.frames.predict import Logits

_PROTOCOL = "block"
"""Frames that follow each other stay together."""


def personalised(trained: Trained, samples: Sequence[VideoSample], method: str) -> dict[str, Logits]:
    """Logits of one person's recordings by a model that was adapted to them.

    Args:
        trained: the model; it stays as it was.
        samples: recordings of one person.
        method: name in ADAPTATIONS; ``none``: nothing is adapted.

    Returns:
        recording -> float32 [T, 2]; empty for ``none``.

    Raises:
        WaverError: the method can do nothing to the model, or gave values that are not finite.
    """
    if method == NONE:
        return {}
    checkpoint = trained.checkpoint
    if checkpoint.decoder is not None:
        raise WaverError(f"{trained.name} decodes whole recordings, which a method of personalisation does not do; "
                         "choose another --method, or --personalise none")  # fmt: skip
    pool = int(checkpoint.options.get("pool", 1))
    network = FusionNetwork(build_model(checkpoint), checkpoint.normalisation.sizes, pool, checkpoint.offset).eval()
    adapter = build_adapter(method, {})
    if reason := not_applicable(adapter.needs, network):
        raise WaverError(f"{method} does nothing to {trained.name}: {reason}; choose another --personalise")
    source = Source(network, checkpoint.modalities, checkpoint.normalisation)
    target = _target(samples, source)
    everything = np.arange(len(target.features), dtype=np.int64)
    split = {"train": everything, "val": everything[:0], "test": everything}
    seed = seed_for("predict", method, target.participant)
    view_of = partial(fusion_view, layout=layout_of(checkpoint, _PROTOCOL))
    logits = adapt_one(adapter, network, target, split, None, seed, view_of).logits.astype(np.float32)
    return {video: logits[target.video == number] for number, video in enumerate(target.videos)}


def _target(samples: Sequence[VideoSample], source: Source) -> Target:
    """All frames of one person, by recording, then time; nothing is known of their labels."""
    ordered = sorted(samples, key=lambda sample: sample.video)
    lengths = [sample.frames for sample in ordered]
    features = np.concatenate([source.features(sample) for sample in ordered])
    return Target(
        ordered[0].participant,
        tuple(sample.video for sample in ordered),
        features,
        np.zeros(len(features), np.uint8),
        np.repeat(np.arange(len(ordered), dtype=np.int32), lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        ordered[0].split,
    )
