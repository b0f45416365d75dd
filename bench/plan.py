"""CPU and wall seconds that Snakemake plans for, and the jobs it finds, by number of participants and shards.

Usage: python bench/plan.py CONFIGFILE [PARTICIPANTS:SHARDS ...]      (default 300:16 300:32 10000:128)

The data set is a tree of empty files in the layout of BAH, made in a temporary folder. Measured is the
plan of everything after ingest; ingest itself is not run, its files are put there empty.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from waver.cluster.planning import full_plan  # noqa: E402
from waver.cluster.settings import read_config  # noqa: E402

DEFAULT = ("300:16", "300:32", "10000:128")
VIDEOS_EACH = 4.757
"""1,427 videos of 300 participants."""


def empty_release(root: Path, participants: int) -> None:
    """Empty video files, 4 or 5 a participant."""
    for number in range(participants):
        folder = root / f"Videos/{80000 + number}/Visite_1"
        folder.mkdir(parents=True)
        for question in range(1, int((number + 1) * VIDEOS_EACH) - int(number * VIDEOS_EACH) + 1):
            name = f"{80000 + number}_Question_{question}_2024-10-02_15-46-10_Video.mp4"
            os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))


def main(configfile: str, cases: tuple[str, ...]) -> None:
    """Print one line a case."""
    print(f"{'participants':>12}{'shards':>8}{'jobs':>8}{'CPU s':>8}{'wall s':>8}{'load':>8}")
    for case in cases:
        participants, shards = map(int, case.split(":"))
        with tempfile.TemporaryDirectory(prefix="waver-bench-") as folder:
            empty_release(Path(folder), participants)
            config = read_config([configfile], [f"dataset={{shards: {shards}}}"])
            found = full_plan(config, release=Path(folder))
        load = os.getloadavg()[0]
        print(f"{participants:>12}{shards:>8}{found.total:>8}{found.cpu_s:>8.1f}{found.wall_s:>8.1f}{load:>8.1f}")


if __name__ == "__main__":
    main(sys.argv[1], tuple(sys.argv[2:]) or DEFAULT)
