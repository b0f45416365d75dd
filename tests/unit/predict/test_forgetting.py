"""``waver forget --in``: no byte of the person is left in what the commands made, and nothing of others is gone."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_model_folder import any_model

from viewed import result
from waver.cli import main
from waver.datasets.consent import learner_mark, pseudonyms
from waver.errors import WaverError
from waver.io.site_secret import site_secret
from waver.predict import forgetting
from waver.predict.given import LAST, LINKS, MAPPING, Given, read_mapping, with_ids, write_mapping
from waver.predict.model_folder import WITHDRAWN, load_model_folder, write_model_folder
from waver.predict.outputs import index_row, summary_row, write_set_aside, write_summary
from waver.predict.result import Word
from waver.predict.result_files import write_annotations, write_frames, write_segments
from waver.predict.segments import DURATIONS
from waver.predict.viewer.page import About, write_index, write_page
from waver.provenance import file_sha256

WHO, WORD = "Zoë/7", "kryptonite"
OWNED = {"recording_001": "Zoë%2F7", "recording_002": "bob", "recording_0010": "eve"}
"""Recording -> participant."""
TRACES = [part.encode() for part in (WHO, "Zoë%2F7", WORD, "Anna-DESKTOP", '"recording_001"', "recording_001,")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Anna-DESKTOP.mp4").write_bytes(b"v")
    return tmp_path


def files_of(out: Path, recording: str) -> None:
    own = OWNED.get(recording, WHO)
    word = WORD if recording == "recording_001" or own == WHO else "maybe"
    made = replace(result(), recording=recording, participant=own, words=[Word(word, 1.0, 1.5)], contributions=None)
    write_frames(made, out, {})
    write_segments(made, out, {})
    write_annotations(made, out, DURATIONS)
    write_page(made, out, About("can/V/0"), None)


def predicted(out: Path) -> dict[str, bytes]:
    """What ``waver predict`` leaves of three people; content of the files that are about others alone."""
    rows = []
    for recording, own in OWNED.items():
        files_of(out, recording)
        rows.append(summary_row(replace(result(), recording=recording, participant=own), "none"))
        for path in (
            f"work/features/faces/stores/{own}/{recording}.zarr/0", f"work/features/faces/{recording}.parquet",
            f"work/features/faces/{recording}.parquet.lock", f"work/align/packs/{recording}.zarr/0",
            f"work/ingest/recordings/{recording}.videos.parquet", f"work/finished/{recording}.json",
        ):  # fmt: skip
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text(f"of {own}")
        (out / "recordings").mkdir(exist_ok=True)
        (out / f"recordings/{recording}.mp4").symlink_to(out.parent / "Anna-DESKTOP.mp4")
    # a store from before the participant was named otherwise
    (out / "work/features/words/stores/Zoë%2F7/recording_009.zarr").mkdir(parents=True)
    (out / "work/predict.log").write_text("recording_001 of Zoë%2F7\n")
    (out / "work/ingest/probes.json").write_text('"recording_001"')
    (out / "recordings/videos.csv").write_text(f"{WHO},recording_001.mp4\n")
    files = write_summary(rows, out)
    files |= write_set_aside(
        [{"item": name, "participant": own, "reason": "a", "remedy": "b"} for name, own in OWNED.items()], out
    )
    index = write_index(map(index_row, rows), out, About("can/V/0"))
    files |= {path.name: file_sha256(path) for path in (index, *out.glob("recording_0*"))}
    (out / "run.json").write_text(json.dumps({"model": {"name": "can/V/0", "sha256": "0" * 64}, "files": files}))
    write_mapping(
        out / "private/recordings.csv",
        [Given(out.parent / "Anna-DESKTOP.mp4" if own != "bob" else out, own, None, None, None, name)
         for name, own in OWNED.items()],
    )  # fmt: skip
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and any(name in str(path) for name in ("recording_002", "recording_0010", "eve", "bob"))
        and "ingest" not in path.parts
    }  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_trace(folder: Path) -> None:
    for name, held in content(folder).items():
        found = [trace for trace in TRACES if trace in held or trace in name.encode()]
        if name.endswith(".csv") and "recordings" in name:
            found = [trace for trace in found if trace != b"Anna-DESKTOP"]  # of another's recording, here the same file
        assert not found, name
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    assert not [name for name in names if "recording_001" in name.replace("recording_0010", "") or "Zo" in name]


def test_a_folder_of_predictions_keeps_the_others_alone(place: Path, capsys) -> None:
    others = predicted(place / "out")
    assert main(["forget", WHO, "--in", "out"]) == 0
    said = capsys.readouterr().out
    assert "would be deleted: out/recording_001.eaf\n" in said
    assert "would be rewritten: out/summary.csv\n" in said
    assert (place / "out/recording_001.eaf").is_file()
    assert main(["forget", WHO, "--in", "out", "--delete"]) == 0
    assert f"{place}/Anna-DESKTOP.mp4 is yours: delete it" in capsys.readouterr().out
    no_trace(place / "out")
    assert others.items() <= content(place / "out").items()
    assert (place / "Anna-DESKTOP.mp4").read_bytes() == b"v", "a link's target is the user's"
    record = json.loads((place / "out/run.json").read_text())
    assert {name for name in record["files"] if not name.startswith("recording_0")} == {
        "summary.csv", "summary.json", "summary.schema.json", "set_aside.csv", "index.html",
    }  # fmt: skip
    assert all(file_sha256(place / "out" / name) == sha256 for name, sha256 in record["files"].items())
    assert [row["recording"] for row in json.loads((place / "out/summary.json").read_text())] == [
        "recording_002", "recording_0010",
    ]  # fmt: skip
    again = with_ids([Given(place / "new.mp4")], place / "out")
    assert [one.recording for one in again] == ["recording_002", "recording_0010", "recording_011"]


def test_the_id_of_a_forgotten_recording_is_not_given_again(place: Path) -> None:
    """A review of it, kept elsewhere, would be taken for the new person's."""
    with_ids([Given(place / "a.mp4", "bob"), Given(place / "b.mp4", "zoe"), Given(place / "c.mp4", "zoe")], place)
    (place / LINKS).mkdir()
    assert main(["forget", "zoe", "--in", ".", "--delete"]) == 0
    assert main(["forget", "bob", "--in", ".", "--delete"]) == 0
    assert not read_mapping(place / MAPPING)
    (new,) = with_ids([Given(place / "d.mp4", "eve")], place)
    assert new.recording == "recording_004"
    # of a folder from before numbers were kept
    (place / LAST).unlink()
    assert main(["forget", "eve", "--in", ".", "--delete"]) == 0
    (new,) = with_ids([Given(place / "e.mp4", "ann")], place)
    assert new.recording == "recording_005"
    (place / LAST).write_text("five")
    with pytest.raises(WaverError, match=r"last_recording\.txt, the greatest number that an id had, cannot be read"):
        with_ids([], place)


@pytest.mark.parametrize("steps", [0, 3, 12])
def test_a_killed_command_goes_on(place: Path, monkeypatch, steps: int) -> None:
    predicted(place / "out")
    done, remove = [], forgetting.remove

    def killed(path: Path) -> None:
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(remove(path))

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(forgetting, "remove", killed)
        main(["forget", WHO, "--in", "out", "--delete"])
    assert main(["forget", WHO, "--in", "out", "--delete"]) == 0
    no_trace(place / "out")


def test_exports_and_reviews(place: Path, capsys) -> None:
    """Under ids, with a list of whose they are and without; under pseudonyms; and what people said of them."""
    secret = site_secret(place / ".waver/secret")
    name = pseudonyms([WHO], secret)[WHO]
    listed, bare, public, reviews = (place / one for one in ("listed", "bare", "public", "reviews"))
    for folder, recordings in (
        (listed, ("recording_001", "recording_002")), (bare, ("Zoë%2F7_Q1", "Zoë%2F7b_Q1")),
        (public, (f"{name}_Q1", "P-AAAAA_Q1")),
    ):  # fmt: skip
        for one in recordings:
            files_of(folder, one)
    given = [Given(Path(), own, recording=one) for one, own in OWNED.items()]
    for folder in (listed, reviews):
        write_mapping(folder / "private/recordings.csv", given)
    for one in ("agreement.csv", "agreement.json", "disagreements.csv", "codings.csv"):
        (reviews / one).write_text('"recording_001", "recording_002"')
    (reviews / "codings.schema.json").write_text("{}")
    arguments = [part for folder in ("listed", "bare", "public", "reviews") for part in ("--in", folder)]
    assert main(["forget", WHO, *arguments, "--delete"]) == 0
    assert {path.name.split("_frames")[0] for path in place.rglob("*_frames.csv")} == {
        "recording_002", "Zoë%2F7b_Q1", "P-AAAAA_Q1",
    }  # fmt: skip
    assert sorted(content(reviews)) == ["codings.schema.json", "private/recordings.csv"]
    no_trace(listed)
    no_trace(reviews)
    assert "reviews lacks its tables of agreement: import the other reviews again" in capsys.readouterr().out


def test_reviews_of_pseudonyms_and_a_secret_that_is_not_here(place: Path, capsys) -> None:
    """Reviews of a public export lack the list of whose they are; without the secret nobody is known by a pseudonym."""
    secret = site_secret(place / ".waver/secret")
    name = pseudonyms([WHO], secret)[WHO]
    for folder, recording in (("public", f"{name}_Q1"), ("reviews", f"{name}_Q1"), ("others", "P-AAAAA_Q1")):
        (place / folder).mkdir()
        (place / folder / "codings.csv").write_text(f"recording,coder\n{recording},anna\n")
    (place / "public/codings.csv").unlink()
    files_of(place / "public", f"{name}_Q1")
    arguments = ["forget", WHO, *(part for one in ("public", "reviews", "others") for part in ("--in", one))]
    (place / ".waver/secret").rename(place / "elsewhere")
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.count("which recordings are of the participant is not known: they have pseudonyms, which need the") == 3
    assert "nothing in" not in said
    (place / "elsewhere").rename(place / ".waver/secret")
    assert main([*arguments, "--delete"]) == 0
    assert "pseudonyms" not in capsys.readouterr().out
    assert [path.parent.name for path in place.rglob("codings.csv")] == ["others"]
    assert {file.partition(".")[2] for file in content(place / "public")} == {"schema.json"}


def test_reviewed_recordings_leave_the_training_set(place: Path) -> None:
    folder = place / "set"
    folder.mkdir()
    link = "reviewed_0123456789ab.mp4"
    (folder / link).symlink_to(place / "Anna-DESKTOP.mp4")
    (folder / "b.mp4").write_bytes(b"b")
    head = "participant,video,split,label\n"
    (folder / "videos.csv").write_text(f"{head}bob,b.mp4,val,1\n{WHO},{link},train,1\n")
    (folder / "segments.csv").write_text(f"video,start_s,end_s,facial\n{link},1,2,{WORD}\nb.mp4,1,2,smile\n")
    assert main(["forget", WHO, "--in", "set", "--delete"]) == 0
    assert not [name for name, held in content(folder).items() if any(trace in held for trace in TRACES)]
    assert (folder / "segments.csv").read_text().splitlines()[1:] == ["b.mp4,1,2,smile"]
    assert not (folder / link).is_symlink()
    assert (place / "Anna-DESKTOP.mp4").exists()


def test_a_model_that_learnt_from_the_person_is_marked_and_no_more_used(place: Path, capsys) -> None:
    secret = site_secret(place / ".waver/secret")
    for name, people in (("learnt", [WHO, "bob"]), ("other", ["bob"]), ("old", None)):
        about = {} if people is None else {"learnt_from": [learner_mark(one, secret) for one in people]}
        write_model_folder(place / name, replace(any_model("can"), about=about), "# card\n", [])
    arguments = ["forget", WHO, "--in", "learnt", "--in", "other", "--in", "old"]
    assert main(arguments) == 0
    assert load_model_folder(place / "learnt").trained.name == "can/VAT/0"
    assert main([*arguments, "--delete"]) == 0
    said = capsys.readouterr().out
    assert "marked, as it learnt from the participant: learnt\n" in said
    assert "old: whether this model learnt from the participant is not known, as it was exported by an older" in said
    assert [path.parent.name for path in place.rglob(WITHDRAWN)] == ["learnt"]
    with pytest.raises(WaverError, match="learnt from somebody who has withdrawn"):
        load_model_folder(place / "learnt")
    load_model_folder(place / "other")
    assert WHO.encode() not in b"".join(content(place / "learnt").values())


@pytest.mark.parametrize("record", ["[" * 100_000, '{"about": {"learnt_from": 5}}', '{"about": 5}', "{}"])
def test_a_record_of_a_model_that_cannot_be_read_is_one_sentence(place: Path, capsys, record: str) -> None:
    (place / "odd").mkdir()
    (place / "odd/model.json").write_text(record)
    site_secret(place / ".waver/secret")
    assert main(["forget", WHO, "--in", "odd"]) == 1
    assert "odd/model.json cannot be read; copy the folder of the model again" in capsys.readouterr().err


def test_what_is_no_folder_and_who_is_not_there(place: Path, capsys) -> None:
    before = predicted(place / "out")
    whole = content(place)
    assert main(["forget", WHO, "--in", "out", "--in", "nowhere", "--delete"]) == 1
    assert content(place) == whole, "nothing is deleted of which nothing would be said"
    assert "--in nowhere is no folder" in capsys.readouterr().err
    for who in ("recording", "summary", "run", "bo", "e"):
        assert main(["forget", who, "--in", "out", "--delete"]) == 0
    assert "nothing in out is known to be of this participant" in capsys.readouterr().out
    assert before.items() <= content(place / "out").items()
    assert len(read_mapping(place / "out/private/recordings.csv")) == 3
