"""Memory of a job that asks a model about the windows of few and of many videos.

Usage: python bench/zeroshot_memory.py [SHORT LONG]

Videos of 2 s and 640 x 480 pixels, windows of 8 frames, two prompts, a Video-LLaVA of random weights. Each job runs in
a process of its own; the largest memory that it held is printed, and its CPU seconds: half a minute of both together.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from waver.assets.manifest import install
from waver.config.zeroshot import ZeroShotConfig
from waver.io.tables import ANSWERS, PROMPT_ANSWERS, VIDEOS, read_table, write_table
from waver.zeroshot.items import Sources
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.runner import ask_shard

SECONDS, RATE = 2, 24


def write_video(path: Path) -> None:
    """Noise that moves, so that nothing of it is free."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        for number in range(SECONDS * RATE):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, number, 1), "rgb24")))
        file.mux(stream.encode())


def ask(folder: Path, videos: int) -> None:
    """One job about so many videos; prints its memory."""
    rows = [
        {
            "video": f"8{n:04}_Q1",
            "participant": f"8{n:04}",
            "split": "test",
            "path": "video.mp4",
            "text": "I would, but.",
        }
        for n in range(videos)
    ]
    for schema, name in ((VIDEOS, "videos"), (ANSWERS, "answers")):
        plain = {field.name: {"bool": False, "string": ""}.get(str(field.type), 1) for field in schema}
        own = [{key: value for key, value in row.items() if key in schema.names} for row in rows]
        write_table(folder / f"{name}.parquet", [plain | row for row in own], schema)
    known, output = read_prompts("released"), folder / f"{videos}.parquet"
    answers = known.answers.model_dump()
    questions = {name: {**known.prompts[name].model_dump(), "answers": answers} for name in ("s", "td1")}
    sources = Sources(folder / "answers.parquet", folder / "videos.parquet", folder)
    config = ZeroShotConfig(batch=4, dtype="float32")
    ask_shard(sources, folder / "model/asset.json", "video_llava", "w8", questions, config, False, "", output)
    used = resource.getrusage(resource.RUSAGE_SELF)
    answers, spent_s = len(read_table(output, PROMPT_ANSWERS)), used.ru_utime + used.ru_stime
    print(f"{videos:4} videos{answers:8} answers{used.ru_maxrss / 1024:8.0f} MiB{spent_s:8.0f} s")


def main(short: int = 2, long: int = 12) -> None:
    """Print one line a job."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_video(folder / "video.mp4")
        install("tiny_video_llava", folder / "model", {})
        for videos in (short, long):
            subprocess.run([sys.executable, __file__, "--job", place, str(videos)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        ask(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
