"""Jobs of this folder that a killed Snakemake left in Slurm's queue."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import time
from pathlib import Path

from waver.errors import WaverError

log = logging.getLogger(__name__)

_NAME = re.compile(r"waver_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Names of the jobs of a run: ``slurm-jobname-prefix`` of the profile and the run's UUID."""


def leftover_jobs(folder: Path) -> list[str]:
    """Ids of the jobs in Slurm's queue that a run in this folder submitted; none where there is no Slurm.

    Raises:
        WaverError: Slurm does not answer.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", "--me", "--format=%i|%j|%Z"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except subprocess.SubprocessError as error:
        message = str(getattr(error, "stderr", None) or error).strip()
        raise WaverError(f"squeue does not answer ({message}); try again when Slurm is back") from error
    rows = [line.split("|", 2) for line in answer.stdout.splitlines()]
    own = folder.resolve()
    return [job for job, name, where in rows if _NAME.fullmatch(name) and Path(where).resolve() == own]


def end_leftovers(folder: Path, on_slurm: bool, patience_s: float = 600) -> None:
    """Cancel the jobs that a killed head process left behind, and wait until the last one is gone.

    To be called when a run starts, before it submits anything and with the folder's lock held: whatever
    is in the queue then belongs to no living run. A leftover job, above all one that still waits in the
    queue, would else delete and rewrite outputs under the hands of the new run. Nothing whole is lost:
    stores and training states stay, and the new run's jobs go on from there.

    Args:
        folder: where the run works.
        on_slurm: the run submits jobs. One that does not goes on where Slurm does not answer.
        patience_s: seconds until the jobs must be gone.

    Raises:
        WaverError: Slurm does not answer, or jobs are still there when the patience is over.
    """
    try:
        found = left = leftover_jobs(folder)
    except WaverError:
        if on_slurm:
            raise
        return
    if not found:
        return
    log.warning("ending jobs that a killed run left in the queue: %s", " ".join(found))
    subprocess.run(["scancel", *found], check=False)
    deadline = time.monotonic() + patience_s
    while left:
        if time.monotonic() > deadline:
            raise WaverError(f"jobs of a killed run do not end: {' '.join(left)}; wait for them, then start again")
        time.sleep(1)
        left = leftover_jobs(folder)
