"""What people say of recordings, held against the model, the annotation, and each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.errors import WaverError
from waver.evaluation.agreement import UNKNOWN, alpha, kappa
from waver.evaluation.segments import SEGMENT_METRICS, runs_of, segment_scores, video_counts
from waver.predict.codings import Coding
from waver.predict.data_tables import column
from waver.predict.predicted_files import PredictedFiles
from waver.predict.segments import frames_of_spans
from waver.shapes import FPS

Codes = npt.NDArray[np.int8]
Row = dict[str, Any]
By = Mapping[str, Mapping[str, Codes]]
"""Recording -> coder -> int8 [T]: 1 A/H, 0 none, UNKNOWN where the coder could not tell."""

MODEL_CODER, ANNOTATOR_CODER = "model", "annotator"
_SAID = {1: "A/H", 0: "none"}

AGREEMENT = pa.schema(
    [
        column("coder", pa.string(), "who coded: a name, model, or annotator (the annotation of the data set)"),
        column("other", pa.string(), "with whom the coder is compared"),
        column("recordings", pa.int32(), "recordings that both coded"),
        column("frames", pa.int64(), "frames that both know"),
        column("kappa", pa.float64(), "Cohen's kappa of the frames; empty where both say one thing throughout", True),
        *(
            column(name, pa.float64(), "segments of other against those of coder (docs/evaluation.md)", True)
            for name in SEGMENT_METRICS
        ),
    ]
)
DISAGREEMENTS = pa.schema(
    [
        column("recording", pa.string(), "id"),
        column("coder", pa.string(), "who does not agree with the model"),
        column("start_s", pa.float64(), "beginning of the stretch, seconds"),
        column("end_s", pa.float64(), "its end, seconds"),
        column("coder_says", pa.string(), "A/H or none"),
        column("model_says", pa.string(), "A/H or none"),
        column("p_mean", pa.float64(), "mean probability of A/H in the stretch"),
        column("confidence", pa.float64(), "how sure the model is of what it says: p_mean, or one less it"),
    ]
)
CODINGS = pa.schema(
    [
        column("recording", pa.string(), "id"),
        column("coder", pa.string(), "who coded"),
        column("start_s", pa.float64(), "beginning of the segment, seconds; empty: the coder found none", True),
        column("end_s", pa.float64(), "its end, seconds", True),
        column("start_frame", pa.int32(), "first frame on the 24 fps clock", True),
        column("end_frame", pa.int32(), "frame after the last one", True),
        column("verdict", pa.string(), "accept: A/H; unsure: the coder could not tell"),
        column("cues", pa.string(), "cues that the coder saw in it, separated by semicolons"),
    ]
)
"""What people said; ``import-review`` reads such a table."""


def check_coding(one: Coding, files: PredictedFiles) -> None:
    """Hold a coding to being one of a recording.

    Raises:
        WaverError: it goes on beyond the recording's end, or the coder has a name that is not a person's.
    """
    if one.coder in (MODEL_CODER, ANNOTATOR_CODER):
        raise WaverError(f"no coder can be named {one.coder}; give NAME=PATH with another name")
    frames = len(files.probability)
    last = max((end for _, end in [*one.positive, *one.unsure]), default=0)
    if last > frames + FPS:
        raise WaverError(
            f"{one.coder} codes {one.recording} as far as {float(last / FPS):.3f} s, and it ends at "
            f"{float(frames / FPS):.3f} s; see whether the coding is of another recording"
        )


def coded(codings: Sequence[Coding], predicted: Mapping[str, PredictedFiles]) -> dict[str, dict[str, Codes]]:
    """Codes of the people, the model and the annotation, of recordings that a person coded (``check_coding``).

    Raises:
        WaverError: a person coded a recording twice.
    """
    found: dict[str, dict[str, Codes]] = {}
    for one in codings:
        files = predicted[one.recording]
        frames = len(files.probability)
        own = found.setdefault(one.recording, {MODEL_CODER: _codes(files.segments, frames)})
        if files.annotated is not None:
            own[ANNOTATOR_CODER] = _codes(files.annotated, frames)
        if one.coder in own:
            raise WaverError(f"{one.coder} codes {one.recording} twice; name the coders: NAME=PATH")
        own[one.coder] = _codes(one.positive, frames)
        own[one.coder][frames_of_spans(one.unsure, frames)] = UNKNOWN
    return found


def _codes(spans: Sequence[tuple[int, int]], frames: int) -> Codes:
    return frames_of_spans(spans, frames).astype(np.int8)


def coders_of(by: By) -> list[str]:
    """Names, the model's first, then the annotator's, then people's in the order of the alphabet."""
    found = {coder for own in by.values() for coder in own}
    return sorted(found, key=lambda one: (one != MODEL_CODER, one != ANNOTATOR_CODER, one))


def agreement_rows(by: By) -> Iterator[Row]:
    """Rows of AGREEMENT: of every two coders, over all recordings that both coded, by the frames that both know."""
    for other, coder in combinations(coders_of(by), 2):
        shared = [own for own in by.values() if coder in own and other in own]
        if not shared:
            continue
        one, two = (np.concatenate([own[name] for own in shared]) for name in (coder, other))
        video = np.repeat(np.arange(len(shared)), [len(own[coder]) for own in shared])
        known = (one >= 0) & (two >= 0)
        # frames in which either could not tell are left out, and cut no segment in two
        values = segment_scores(video_counts(one[known], two[known], video[known]))
        row = {"coder": coder, "other": other, "recordings": len(shared), "frames": int(known.sum())}
        yield {**row, "kappa": _known(kappa(one, two)), **{name: _known(float(x)) for name, x in values.items()}}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def people_alpha(by: By) -> float | None:
    """Krippendorff's alpha of the people and the annotator over all frames; None of fewer than two, or undefined."""
    people = [coder for coder in coders_of(by) if coder != MODEL_CODER]
    if len(people) < 2:
        return None
    unknown = [np.full(len(own[MODEL_CODER]), UNKNOWN, np.int8) for own in by.values()]
    rows = [np.concatenate([own.get(who, no) for own, no in zip(by.values(), unknown, strict=True)]) for who in people]
    return _known(alpha(np.stack(rows)))


def disagreements(by: By, predicted: Mapping[str, PredictedFiles]) -> list[Row]:
    """Rows of DISAGREEMENTS: stretches in which a person says other than the model, the surest of the model first."""
    rows: list[Row] = []
    for recording, own in by.items():
        model, chance = own[MODEL_CODER], predicted[recording].probability
        for coder in own.keys() - {MODEL_CODER}:
            apart = (own[coder] >= 0) & (own[coder] != model)
            for start, end in zip(*runs_of(apart, model), strict=True):  # a stretch of one answer of the model
                mean = float(chance[start:end].mean(dtype=np.float64))
                rows.append(
                    {
                        "recording": recording,
                        "coder": coder,
                        "start_s": float(start / FPS),
                        "end_s": float(end / FPS),
                        "coder_says": _SAID[int(own[coder][start])],
                        "model_says": _SAID[int(model[start])],
                        "p_mean": mean,
                        "confidence": mean if model[start] else 1 - mean,
                    }
                )
    return sorted(rows, key=lambda row: (-round(row["confidence"], 6), row["recording"], row["coder"], row["start_s"]))


def coding_rows(codings: Sequence[Coding]) -> Iterator[Row]:
    """Rows of CODINGS."""
    for one in sorted(codings, key=lambda one: (one.recording, one.coder)):
        said = [(span, "accept") for span in one.positive] + [(span, "unsure") for span in one.unsure]
        for (start, end), verdict in sorted(said):
            cues = [cue for (first, last), cue in one.cues if first < end and last > start]
            times = {"start_s": start / FPS, "end_s": end / FPS, "start_frame": start, "end_frame": end}
            yield {"recording": one.recording, "coder": one.coder, **times, "verdict": verdict, "cues": "; ".join(cues)}
        if not said:
            empty = dict.fromkeys(("start_s", "end_s", "start_frame", "end_frame"))
            yield {"recording": one.recording, "coder": one.coder, **empty, "verdict": "", "cues": ""}
