"""What is kept in the folder of the results: finished recordings, models of the features."""

from __future__ import annotations

import json

import pytest

from waver.assets.manifest import Installed, installed
from waver.errors import WaverError
from waver.predict.finished import Finished, read_finished, write_finished
from waver.predict.given_checks import corrected_before
from waver.predict.preparation import place_models
from waver.provenance import file_sha256


def test_what_a_person_corrected_is_whole_and_stays(tmp_path):
    names = ("a_frames.csv", "a.eaf", "a.vtt")
    for name in names:
        (tmp_path / name).write_text(name)
    made = Finished("stamp", {"recording": "a"}, files={name: file_sha256(tmp_path / name) for name in names})
    write_finished(tmp_path, "a", made)
    known = read_finished(tmp_path, "a")
    assert known == made
    assert known.intact(tmp_path)
    (tmp_path / "a.eaf").write_text("corrected")
    assert known.intact(tmp_path)
    assert known.edited(tmp_path) == {"a.eaf": made.files["a.eaf"]}
    (actual,) = corrected_before("a", known.edited(tmp_path), "P")
    assert (actual["item"], actual["reason"]) == ("a", "a.eaf was corrected, and still holds the earlier prediction")
    (tmp_path / "a_frames.csv").write_text("broken")
    assert not known.intact(tmp_path)
    known.remove_left(tmp_path, ["a_frames.csv"])
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a.eaf", "a_frames.csv"]


@pytest.mark.parametrize("text", ["", "[]", "{}]", json.dumps({"unknown": 1})])
def test_a_damaged_memory_is_none(tmp_path, text):
    write_finished(tmp_path, "a", Finished())
    (tmp_path / "work/finished/a.json").write_text(text)
    assert read_finished(tmp_path, "a") is None
    assert read_finished(tmp_path, "b") is None


def test_models_of_the_run_are_linked_and_those_of_packages_installed(tmp_path):
    own = tmp_path / "run/own"
    own.mkdir(parents=True)
    (own / "weights.bin").write_bytes(b"w")
    about = {"role": "vggish", "set": "path", "title": "", "licence": "", "folder": str(own)}
    linked = Installed(name="path.vggish", files={"weights.bin": file_sha256(own / "weights.bin")}, **about)
    packaged = Installed(
        name="mini_xception",
        files={"other.bin": "0" * 64},
        **about | {"role": "expression_backbone", "folder": str(tmp_path / "gone")},
    )
    placed = place_models([linked], tmp_path / "models")
    found = installed(placed["vggish"])
    assert (found.key, found.file().read_bytes()) == (linked.key, b"w")
    assert (tmp_path / "models/path.vggish/weights.bin").is_symlink()
    with pytest.raises(WaverError, match="the packages here hold another mini_xception"):
        place_models([packaged], tmp_path / "models")


def test_a_model_of_nobody_here_is_asked_for_and_taken_where_it_is_brought(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"w")
    about = {"role": "vggish", "set": "path", "title": "", "licence": "", "folder": ""}
    wanted = Installed(name="path.vggish", files={"w.bin": file_sha256(tmp_path / "w.bin")}, **about)
    with pytest.raises(WaverError, match=r"bring its files \(w\.bin\) to .*models/path\.vggish"):
        place_models([wanted], tmp_path / "models")
    (tmp_path / "models/path.vggish").mkdir(parents=True)
    (tmp_path / "models/path.vggish/w.bin").write_bytes(b"other")
    with pytest.raises(WaverError, match="bring its files"):
        place_models([wanted], tmp_path / "models")
    (tmp_path / "models/path.vggish/w.bin").write_bytes(b"w")
    assert installed(place_models([wanted], tmp_path / "models")["vggish"]).key == wanted.key
