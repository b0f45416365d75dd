"""Nothing of people who consented to nothing is in what a finished run shows, whatever their files hold."""

from __future__ import annotations

import base64
import html
import json
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from canaries import REFUSING, TELEPHONE, WORD

from waver.cli import main

pytestmark = pytest.mark.timeout(2700)

_PICTURE = re.compile(r"data:[\w/+-]+;base64,([A-Za-z0-9+/=\s]+)")
PUBLIC_TABLES = ("scores", "comparisons", "calibration", "decomposition")


def public_texts(results: Path) -> Iterator[tuple[str, str]]:
    """Name and text of everything of a run that may be published, as a reader or a program finds it."""
    for path in sorted((results / "report").rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            yield str(path), _PICTURE.sub("", text)
            yield f"{path}, decoded", html.unescape(_PICTURE.sub("", text))
    yield "scores.json", (results / "evaluate/scores.json").read_text()
    for name in PUBLIC_TABLES:
        table = pq.read_table(results / f"evaluate/{name}.parquet")
        yield name, json.dumps(table.to_pylist(), default=str) + str(table.schema.metadata)


def found_in(text: str, folder: Path) -> list[str]:
    """What may stand in no public file."""
    words = [WORD, "geese", TELEPHONE, "2025-04", "Visite_1", str(folder)]
    words += [socket.gethostname()] if len(socket.gethostname()) > 3 else []
    found = [word for word in words if word.lower() in text.lower()]
    visible = re.sub(r"<[^>]*>", " ", text)
    return found + re.findall(r"(?<![\w.,])9000\d(?![A-Za-z0-9.,])", visible)


def test_the_search_finds_what_is_private(finished):
    """The words did go through the run: private tables hold them."""
    answers = pq.read_table(finished.folder / "resources/tiny/ingest/answers.parquet").to_pylist()
    assert {WORD, "geese"} <= set(found_in(str(answers), finished.folder))
    excluded = pq.read_table(finished.folder / "resources/tiny/ingest/set_aside.parquet").to_pylist()
    reasons = {row["reason"] for row in excluded if row["participant"] == REFUSING}
    assert any(reason.endswith("its label is neither 0 nor 1") for reason in reasons)
    assert TELEPHONE not in str(reasons)


def test_nothing_of_them_is_in_what_may_be_published(finished):
    texts = dict(public_texts(finished.results))
    assert len(texts) > 20
    assert {name: found for name, text in texts.items() if (found := found_in(text, finished.folder))} == {}
    assert not list((finished.results / "report").rglob("*.provenance.json"))


def test_what_is_exported_for_a_publication_is_of_those_who_allowed_it(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.folder)
    assert main(["export", str(finished.results), "--out", str(tmp_path / "out")]) == 0
    files = list((tmp_path / "out").iterdir())
    assert any(file.suffix == ".eaf" for file in files)
    for file in files:
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            text = json.dumps(table.to_pylist(), default=str) + str(table.schema.metadata)
        else:
            text = file.read_text(encoding="utf-8")
        assert found_in(f"{file.name} {text}", finished.folder) == []


def test_the_page_shows_one_person_who_allowed_it_and_tells_of_exclusions_without_words(finished):
    page = (finished.results / "report/report.html").read_text()
    names = set(re.findall(r"P-[A-Z2-7]{5,}", page))
    assert names
    assert html.unescape(page).count("Shown with the participant's consent to publication") == 1
    assert "its label is neither 0 nor 1" in page
    assert "the file's name does not follow the release" in html.unescape(page)
    pictures = [base64.b64decode(encoded) for encoded in _PICTURE.findall(page)]
    assert pictures
    assert all(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None for data in pictures)


def test_files_are_the_users_alone(finished):
    made = [
        path for part in ("results", "logs", "resources/tiny", ".waver") for path in (finished.folder / part).rglob("*")
    ]
    assert len(made) > 100
    opened = [path for path in made if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert opened == []
