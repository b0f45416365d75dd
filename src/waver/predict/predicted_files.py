"""The files of predictions, read again: probabilities, segments, and the annotation where it was exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waver.datasets.elan.eaf import read_eaf
from waver.errors import WaverError
from waver.io.tables import read_metadata
from waver.predict.segments import Span
from waver.predict.tiers import ANNOTATOR, to_frames

_FRAMES, _SEGMENTS = "_frames.parquet", "_segments.parquet"


@dataclass(frozen=True)
class PredictedFiles:
    """What the files say of a recording.

    Attributes:
        probability: float32 [T].
        segments: predicted.
        annotated: of the annotation; None where there is none in the files.
        stamp: what predicted it.
        problem: why the file with the annotation cannot be read; empty where it can.
    """

    probability: npt.NDArray[np.float32]
    segments: list[Span]
    annotated: list[Span] | None
    stamp: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def read_predicted(folder: Path) -> dict[str, PredictedFiles]:
    """Recording -> what the files say, of the output of ``waver predict`` or of ``waver export`` with tables.

    Raises:
        WaverError: there are none, or one cannot be read.
    """
    names = [file.name.removesuffix(_FRAMES) for file in sorted(folder.glob(f"*{_FRAMES}"))]
    if not names:
        raise WaverError(
            f"{folder} holds no predictions (<recording>{_FRAMES}); give the --out of waver predict or waver export"
        )
    return {name: _read(folder, name) for name in names}


def _read(folder: Path, name: str) -> PredictedFiles:
    file = folder / f"{name}{_FRAMES}"
    frames = _columns(file, "p_ah")
    segments = _columns(folder / f"{name}{_SEGMENTS}", "start_frame", "end_frame")
    eaf = folder / f"{name}.eaf"
    tiers, problem = {}, ""
    try:
        tiers = read_eaf(eaf) if eaf.is_file() else {}
    except WaverError as error:  # somebody changed it; what was predicted stands in the tables
        problem = str(error)
    annotated = to_frames(tiers[ANNOTATOR]) if ANNOTATOR in tiers else None
    spans = list(zip(segments["start_frame"].tolist(), segments["end_frame"].tolist(), strict=True))
    return PredictedFiles(frames["p_ah"].astype(np.float32), spans, annotated, read_metadata(file), problem)


def _columns(path: Path, *names: str) -> dict[str, npt.NDArray[Any]]:
    try:
        table = pq.read_table(path, columns=list(names), page_checksum_verification=True)
        return {name: table[name].to_numpy() for name in names}
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise WaverError(f"{path} cannot be read; make the predictions again") from error
