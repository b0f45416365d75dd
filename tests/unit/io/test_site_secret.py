"""The secret of a site: private, made once, the same for all who meet."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from waver.errors import WaverError
from waver.io.site_secret import site_secret


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = site_secret(tmp_path / ".waver/secret")
    finally:
        os.umask(before)
    assert len(first) == 32
    assert site_secret(tmp_path / ".waver/secret") == first
    assert site_secret(tmp_path / "another") != first
    assert stat.S_IMODE((tmp_path / ".waver/secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".waver").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / ".waver").iterdir()] == ["secret"]


@pytest.mark.slow
def test_jobs_that_meet_have_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        found = set(pool.map(site_secret, [tmp_path / "secret"] * 64, chunksize=1))
    assert found == {site_secret(tmp_path / "secret")}


@pytest.mark.parametrize("text", ["", "short", "g" * 64, "ü" * 32])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(WaverError, match="holds no secret"):
        site_secret(tmp_path / "secret")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    site_secret(tmp_path / "secret")
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(WaverError, match="chmod 600"):
        site_secret(tmp_path / "secret")
