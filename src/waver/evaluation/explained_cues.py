"""What the explanations of a model point at in the segments of A/H, held to what annotators found inconsistent there.

A pair of modalities is pointed at in a segment where its evidence, the conflict times the gate that weighs it, lies
furthest above what is usual for that pair in the videos of the split. So each segment has one pair that is found,
and the precision over all pairs is the share of segments in which the annotators name it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from waver.align.packs import PackedVideo, read_packs
from waver.config.sections import EvaluateConfig
from waver.datasets.codebook import PAIRS
from waver.evaluation.cue_agreement import CUE_SCORES, Segment, Source, cue_scores
from waver.io.tables import SEGMENTS, read_metadata, read_tables, write_table
from waver.io.zarr_store import Array
from waver.training.frames.annotated_cues import annotated_runs, pair_of

log = logging.getLogger(__name__)

Row = dict[str, Any]
Tracks = dict[str, dict[str, Array]]
"""Video -> pair of modalities -> evidence of each frame, float64 [T]; without pairs of what the video lacks."""

SPLITS = ("val", "test")
CHANNEL = "inconsistencies"
_LEAST_SD = 1e-6  # below it a pair says the same everywhere


def evaluate_explanations(
    explanations: Sequence[Path],
    segments: Path,
    indexes: Sequence[Path],
    packs: Path,
    config: EvaluateConfig,
    output: Path,
) -> None:
    """Write how often the pair that a model points at is one that annotators name (rule ``evaluate_explanations``).

    Only segments count in which annotators name an inconsistency between two of the model's modalities.

    Args:
        explanations: ``explanations.parquet`` of every seed of every model that explains itself.
        segments: SEGMENTS table.
        indexes: index tables of the packs.
        packs: folder of the packs.
        config: resamples, seed, and the people below which counts and scores are withheld.
        output: Parquet file to write (CUE_SCORES).
    """
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_tables([segments], SEGMENTS):
        rows[row["video"]].append(row)
    labelled = [video for video in read_packs(indexes, packs, ["label"], SPLITS) if video.row["labelled"]]
    models: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in explanations:
        about = read_metadata(path)
        models[about["method"], about["modalities"]].append(path)
    found = []
    for (method, modalities), files in models.items():
        for split in SPLITS:
            tracks = _mean([read_evidence(path, split) for path in files])
            pairs = sorted({pair for own in tracks.values() for pair in own})
            videos = [video for video in labelled if video.row["split"] == split]
            seen = [one for video in videos for one in _segments(video, rows[video.video], tracks)]
            source = Source(method, modalities, split, len(files))
            found += cue_scores(seen, dict.fromkeys(pairs, CHANNEL), source, config, one_each=True) if pairs else []
            log.info("%s on %s, %s: %d segments with annotated pairs", method, modalities, split, len(seen))
    write_table(output, found, CUE_SCORES)


def read_evidence(path: Path, split: str) -> Tracks:
    """Evidence of pairs in standard deviations from its mean over the frames of a split, of one seed.

    Args:
        path: ``explanations.parquet``.
        split: val or test.
    """
    table = pq.read_table(path, filters=[("split", "==", split)], page_checksum_verification=True)
    pairs = [name.partition("/")[2] for name in table.column_names if name.startswith("conflict/")]
    video = table["video"].to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.concatenate([[True], video[1:] != video[:-1]])) if len(video) else np.zeros(0, int)
    found: Tracks = {video[start]: {} for start in starts}
    for pair in pairs:
        gate = table[f"gate/{pair}"].to_numpy().astype(np.float64)
        strength = gate * table[f"conflict/{pair}"].to_numpy()
        spans = [(start, stop) for start, stop in zip(starts, [*starts[1:], len(video)], strict=True)
                 if gate[start:stop].any()]  # fmt: skip
        if not spans:
            continue
        usual = np.concatenate([strength[start:stop] for start, stop in spans])
        scale = max(float(usual.std()), _LEAST_SD)
        name = "+".join(sorted(pair.split("+")))
        for start, stop in spans:
            found[video[start]][name] = (strength[start:stop] - usual.mean()) / scale
    return found


def _mean(seeds: Sequence[Tracks]) -> Tracks:
    """Mean over the seeds, of the pairs of a video that all of them have: a gate may be shut throughout in one."""
    return {
        video: {
            pair: np.mean([seed[video][pair] for seed in seeds], axis=0)
            for pair in own
            if all(pair in seed.get(video, {}) for seed in seeds)
        }
        for video, own in seeds[0].items()
    }


def _segments(video: PackedVideo, rows: Sequence[Row], tracks: Mapping[str, Mapping[str, Array]]) -> Iterator[Segment]:
    own = tracks.get(video.video, {})
    for run, row in annotated_runs(video.arrays["label"], rows):
        named = {pair_of(cue) for cue in PAIRS if f"{CHANNEL}: {cue}" in (row["cue_names"] or ())} & own.keys()
        if named and len(own) > 1:
            pointed = max(own, key=lambda pair: float(own[pair][run].mean()))
            yield Segment(video.participant, video.row["question"], named, {pointed}, set(own))
