"""One recording as a model sees it, to be shown: ten seconds, two segments, a face that is missing for a while."""

from __future__ import annotations

import numpy as np

from waver.predict.result import Bands, RecordingResult, Segment, Word

FRAMES = 240


def result() -> RecordingResult:
    """The recording."""
    probability = np.full(FRAMES, 0.1, np.float32)
    probability[50:96] = probability[144:192] = 0.9
    here = np.ones(FRAMES, bool)
    face = here.copy()
    face[200:230] = False
    adds = np.stack([probability * 3 - 1, np.zeros(FRAMES), 0.5 - probability], 1).astype(np.float32)
    apart = np.where(np.arange(FRAMES) < 60, 0.9, 0.1).astype(np.float32)
    return RecordingResult(
        recording="recording_001",
        participant="p1",
        question=4,
        language="en",
        duration_s=FRAMES / 24,
        probability=probability,
        valid={"visual": face, "audio": here, "text": here},
        threshold=0.5,
        video_probability=0.9,
        bands=Bands(0.4, 0.7),
        control=0.3,
        question_only=0.8,
        words=[Word("I", 2.4, 2.6), Word("maybe", 2.9, 3.2), Word("could", 7.0, 7.4)],
        segments=(
            Segment(50, 96, 0.9, 0.9, {"visual": 1.7, "audio": -0.01, "text": -0.4}, ("face against words",)),
            Segment(144, 192, 0.9, 0.9),
        ),
        contributions=adds,
        tracks={"conflict/visual+text": apart, "gate/visual+text": here.astype(np.float32)},
    )
