"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from waver.workflow.environment import set_environment  # noqa: E402 (after the path to it is known)

set_environment()

pytest_plugins = ["limits", "workers", "preloaded"]

# tests run beside each other on small machines; libraries keep to one thread
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


@pytest.fixture(scope="session")
def bah_files() -> Path:
    """Folder of the public BAH-224 split files; the test is skipped where there is none."""
    folder = os.environ.get("WAVER_BAH_FILES")
    if not folder or not Path(folder).is_dir():
        pytest.skip("WAVER_BAH_FILES names no folder of BAH-224 split files")
    return Path(folder)


@pytest.fixture(scope="session")
def installed_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder ``<name>/asset.json`` of every embedded model and demo medium, installed once."""
    from waver.assets.manifest import install, manifest

    folder = tmp_path_factory.mktemp("models")
    for name, asset in manifest().items():
        if asset.set in ("embedded", "demo"):
            install(name, folder / name, {})
    return folder
