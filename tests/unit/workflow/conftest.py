"""A small package that stands where Waver's own would, and the fingerprints of what is in it."""

from __future__ import annotations

import textwrap

import pytest

from waver.workflow import definitions, fingerprint, references, shapes

CACHED = (
    definitions.exists,
    definitions.module_named,
    definitions.script,
    shapes.definition,
    references.run_on_import,
    fingerprint._fingerprint,
    fingerprint._minor,
)


@pytest.fixture
def version(tmp_path, monkeypatch):
    """Fingerprint of an entry in a package of these files, each given as its text."""
    counter = iter(range(1000))

    def take(files, entry="waver.job:run"):
        folder = tmp_path / str(next(counter)) / "waver"
        monkeypatch.setattr(definitions, "SOURCE", folder)
        for cached in CACHED:
            cached.cache_clear()
        for name, text in files.items():
            path = folder / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return fingerprint.code_version(entry)

    yield take
    for cached in CACHED:
        cached.cache_clear()
