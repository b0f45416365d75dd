"""Where this checkout is, and copies of what runs."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "rules", "workflow", "src", "config", "envs", "profiles")


def copy_parts(folder: Path, parts: tuple[str, ...] = PARTS) -> Path:
    """Copy files and folders of this checkout, by default those of the workflow; the folder that has them."""
    for part in parts:
        source, ignore = ROOT / part, shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(source, folder / part, ignore=ignore) if source.is_dir() else shutil.copy2(source, folder)
    return folder
