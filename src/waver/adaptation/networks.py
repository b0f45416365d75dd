"""The loop over target participants for methods that adapt a trained network, where they can do something to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.adaptation.base import Needs, Network, SourceView, TargetView
from waver.adaptation.methods.tta.norms import has_batch_norm
from waver.adaptation.participants import Person, Result, Split, Target, adapt_each
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import adapt_one

log = logging.getLogger(__name__)


def adapt_network(
    adapter: Any,
    network: Network,
    reason: str,
    targets: Callable[[], Sequence[Target]],
    source: Callable[[], SourceView | None],
    view_of: Callable[[Needs, Target, Split], TargetView],
    protocol: str,
    guard: Guard,
    predictions: Path,
    record: Mapping[str, Any],
    only: Sequence[str] | None = None,
) -> None:
    """Adapt a network to each target participant alone, and predict that participant's T_te.

    Population, split, predictions and ``<predictions>.diagnostics.jsonl`` are those of
    ``waver.adaptation.runner.adapt_targets``; before adaptation means the network as it was. Where the method can do
    nothing to it, there are no predictions, and their metadata says why (``not_applicable``).

    Args:
        adapter: an Adapter or an OnlineAdapter.
        network: that it starts from.
        reason: why the method can do nothing to it; empty where it can.
        targets: reads the participants.
        source: reads the source frames, where the method needs them.
        view_of: what the network can be given of the rows that the method may see.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions, with method, network and seed; level, protocol and guard are set here.
        only: participants who are adapted to; None: all of the split.

    Raises:
        WaverError: the method gave values that are not finite.
    """
    if reason:
        log.warning("%s does nothing to %s: %s", record["method"], record["network"], reason)
        record = {**record, "not_applicable": reason}

    def adapt(people: Sequence[Person]) -> Iterator[Result]:
        known = source() if people else None
        for target, split, seed in people:
            yield adapt_one(adapter, network, target, split, known, seed, view_of)

    people, wanted = ([], None) if reason else (targets(), only)
    adapt_each(people, adapt, protocol, guard, predictions, record, wanted)


def not_applicable(needs: Needs, network: Network) -> str:
    """Why a method can do nothing to any network of this kind; empty where it can."""
    return "the network has no batch norm" if needs.batch_norm and not has_batch_norm(network) else ""
