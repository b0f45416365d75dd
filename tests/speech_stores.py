"""Speech of videos of two seconds, as the job of a shard leaves it."""

from pathlib import Path
from typing import Any

import numpy as np

from waver.io.zarr_store import new_store


def write_speech_store(
    folder: Path,
    number: int,
    words: list[str] | None,
    start_s: Any = (),
    end_s: Any = (),
    language: str = "en",
    measured: Any = True,
) -> dict[str, Any]:
    """Write ``speech/82001/82001_Q<number>.zarr``, and return its row of the index; None was set aside."""
    row = {
        "video": f"82001_Q{number}", "participant": "82001", "status": "ok", "frames": 48, "key": f"key{number}",
        "note": "", "reason": None, "remedy": None,
    }  # fmt: skip
    if words is None:
        return row | {"status": "set_aside", "reason": "the file has no sound", "remedy": "record"}
    with new_store(folder / "speech" / "82001" / f"82001_Q{number}.zarr", row["key"]) as writer:
        writer.put("start_s", np.asarray(start_s, np.float32))
        writer.put("end_s", np.asarray(end_s, np.float32))
        writer.put("measured", np.broadcast_to(np.asarray(measured, bool), len(words)))
        writer.attributes.update(words=words, language=language)
    return row
