"""Edits of many kinds of Python: each that a job executes changes its fingerprint, and no other does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from waver.errors import WaverError

MUTATIONS = yaml.safe_load(Path(__file__).with_name("mutations.yaml").read_text(encoding="utf-8"))


def versions(version, files, edit, entry="waver.job:run"):
    """Fingerprints before and after an edit: name of the file, what is replaced, and what by."""
    name, before, after = edit
    assert before in files[name]
    return version(files, entry), version(files | {name: files[name].replace(before, after)}, entry)


@pytest.mark.parametrize("case", MUTATIONS["executed"].values(), ids=MUTATIONS["executed"])
def test_an_edit_of_what_a_job_executes_changes_its_fingerprint(version, case):
    before, after = versions(version, **case)
    assert before != after


@pytest.mark.parametrize("case", MUTATIONS["not_executed"].values(), ids=MUTATIONS["not_executed"])
def test_an_edit_of_what_no_job_executes_does_not(version, case):
    before, after = versions(version, **case)
    assert before == after


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("from waver.tool import *\n", "name what is imported"),
        ("class Base:\n    def __init_subclass__(cls):\n        pass\n", "enter classes in a registry"),
    ],
)
def test_what_cannot_be_followed_is_refused(version, text, remedy):
    with pytest.raises(WaverError, match=remedy):
        version({"job": text + "\n\ndef run():\n    return 1\n", "tool": ""})


def test_code_and_what_is_compiled_from_it_are_no_data_of_a_folder(version):
    text = "from pathlib import Path\n\ndef run():\n    return list((Path(__file__).parent / 'parts').iterdir())\n"
    files = {"job": text, "parts/a.txt": "1", "parts/b.py": "X = 1\n", "parts/__pycache__/b.pyc": "1"}
    assert version(files) == version(files | {"parts/b.py": "X = 2\n", "parts/__pycache__/b.pyc": "2"})
    assert version(files) != version(files | {"parts/a.txt": "2"})
