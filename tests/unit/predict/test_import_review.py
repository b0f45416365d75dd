"""A person's review against the predictions: by hand, through the command, and back into a training set."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pympi import Eaf
from test_segment_rules import result

from video_clips import constant_rate, write_clip
from waver.align.timeline import _within
from waver.datasets.elan.tab_export import read_tab
from waver.datasets.elan.tier_list import read_tier_list
from waver.datasets.exclusions import Row
from waver.datasets.folder.annotations import read_segments
from waver.datasets.folder.listing import read_listing
from waver.errors import WaverError
from waver.predict.codings import read_codings
from waver.predict.elan import read_stamp
from waver.predict.export import ExportRequest
from waver.predict.exporting import export
from waver.predict.given import Given, read_mapping, write_mapping
from waver.predict.import_review import main
from waver.predict.predicted_files import read_predicted
from waver.predict.result_files import write_annotations, write_frames, write_segments
from waver.predict.review import MODEL_CODER, UNKNOWN, agreement_rows
from waver.predict.segments import DURATIONS, frames_of_spans, with_segments

FRAMES = 240
SEGMENTS = [(24, 72), (120, 144)]
STAMP = {"model": "can/VAT/0", "run": "mine", "model_sha256": "a" * 64, "stamp": "b" * 64}


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Of a ten-second recording with segments at 1-3 s (.9) and 5-6 s (.6); annotated: 2-4 s."""
    probability = np.full(FRAMES, 0.1)
    probability[24:72], probability[120:144] = 0.9, 0.6
    made = with_segments(result(probability), DURATIONS)
    out = tmp_path / "predicted"
    write_frames(made, out, STAMP)
    write_segments(made, out, STAMP)
    write_annotations(made, out, DURATIONS, annotated=[(48, 96)], stamp=STAMP)
    return out


def edited(predictions: Path, folder: Path, *spans: tuple[int, int, str], tier: str = "AH_reviewed") -> Path:
    """A copy of the annotation file with annotations (ms) of a person."""
    eaf = Eaf(str(predictions / "recording_001.eaf"))
    for span in spans:
        eaf.add_annotation(tier, *span)
    folder.mkdir(parents=True, exist_ok=True)
    eaf.to_file(str(folder / "recording_001.eaf"))
    return folder / "recording_001.eaf"


def agreement(out: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (out / "agreement.csv").open(encoding="utf-8") as stream:
        return {(row["coder"], row["other"]): row for row in csv.DictReader(stream)}


def test_an_edited_copy_agrees_as_counted_by_hand(predictions: Path, tmp_path: Path, capsys) -> None:
    """The person: 2-3 s, and 8-9 s.

    Frames that both call A/H 24, the model alone 48, the person alone 24, neither 144: .7 the same; by chance
    72 / 240 * 48 / 240 + 168 / 240 * 192 / 240 = .62: kappa = .08 / .38. Of the segments one matches with IoU 24 / 48.
    """
    review = edited(predictions, tmp_path / "mine", (2000, 3000, "A/H"), (8000, 9000, "A/H"))
    assert main([str(review), "--predictions", str(predictions), "--out", str(tmp_path / "out")]) == 0
    pairs = agreement(tmp_path / "out")
    assert set(pairs) == {("reviewer", "model"), ("annotator", "model"), ("reviewer", "annotator")}
    mine = pairs["reviewer", "model"]
    assert (mine["recordings"], mine["frames"]) == ("1", "240")
    assert float(mine["kappa"]) == pytest.approx(0.08 / 0.38, abs=1e-6)
    assert [mine[f"segment_F1_{overlap}"] for overlap in (10, 50)] == ["0.500000", "0.500000"]
    assert float(mine["onset_error_s"]) == 1
    with (tmp_path / "out/disagreements.csv").open(encoding="utf-8") as stream:
        apart = [row for row in csv.DictReader(stream) if row["coder"] == "reviewer"]
    listed = [(row["start_s"], row["end_s"], row["coder_says"], row["model_says"]) for row in apart]
    assert listed == [
        ("1.000", "2.000", "none", "A/H"),
        ("8.000", "9.000", "A/H", "none"),
        ("5.000", "6.000", "none", "A/H"),
    ]
    assert [float(row["confidence"]) for row in apart] == pytest.approx([0.9, 0.9, 0.6], abs=1e-6)
    with (tmp_path / "out/codings.csv").open(encoding="utf-8") as stream:
        assert [row["start_frame"] for row in csv.DictReader(stream)] == ["48", "192"]
    again = ["again=" + str(tmp_path / "out/codings.csv"), f"first={review}"]
    main([*again, "--predictions", str(predictions), "--out", str(tmp_path / "again")])
    assert float(agreement(tmp_path / "again")["reviewer", "first"]["kappa"]) == 1, "the table names its coder"
    assert "kappa 0.211" in capsys.readouterr().out
    known = json.loads((tmp_path / "out/agreement.schema.json").read_text())
    assert [one["name"] for one in known["fields"]] == list(mine)


def test_a_tier_corrected_in_place_is_a_review_and_an_untouched_file_is_none(predictions: Path, tmp_path: Path) -> None:
    segments = {"recording_001": SEGMENTS}
    assert read_codings(predictions / "recording_001.eaf", "eva", segments, {}) == []
    out = ["--predictions", str(predictions), "--out", str(tmp_path / "out")]
    assert main([str(predictions), *out]) == 2
    eaf = Eaf(str(predictions / "recording_001.eaf"))
    eaf.remove_annotation("AH_model", 5500)
    eaf.to_file(str(tmp_path / "recording_001_eva.eaf"))
    (coding,) = read_codings(tmp_path / "recording_001_eva.eaf", "eva", segments, {})
    assert (coding.recording, coding.coder, coding.positive) == ("recording_001", "eva", SEGMENTS[:1])


def test_the_table_of_segments_is_a_review_when_it_was_edited(predictions: Path, tmp_path: Path) -> None:
    lines = (predictions / "recording_001_segments.csv").read_text().splitlines()
    edited_csv = tmp_path / "recording_001_segments.csv"
    for kept, expected in ((lines[:2], SEGMENTS[:1]), (lines[:1], []), (lines, SEGMENTS)):
        edited_csv.write_text("\n".join(kept) + "\n")
        (coding,) = read_codings(edited_csv, "eva", {"recording_001": SEGMENTS}, {})
        assert (coding.recording, coding.positive) == ("recording_001", expected)


def test_unsure_counts_neither_way(predictions: Path, tmp_path: Path) -> None:
    review = edited(predictions, tmp_path / "mine", (1000, 3000, "A/H"), (4000, 7000, "unsure"))
    main([f"eva={review}", "--predictions", str(predictions), "--out", str(tmp_path / "out")])
    mine = agreement(tmp_path / "out")["eva", "model"]
    assert (mine["frames"], float(mine["kappa"]), float(mine["segment_F1_50"])) == ("168", 1, 1)


def test_three_people(predictions: Path, tmp_path: Path) -> None:
    """Two people with tables, one with a review of the viewer, and the annotation: one alpha of all four."""
    (tmp_path / "a.csv").write_text(
        "recording;start_s;end_s;coder\nrecording_001;1,0;3,0;ann\nrecording_001;;;bob\n", encoding="utf-8-sig"
    )
    judged = [
        {"start_frame": 24, "end_frame": 72, "verdict": "accept"},
        {"start_frame": 120, "end_frame": 144, "verdict": "reject"},
    ]
    (tmp_path / "b.json").write_text(json.dumps({"recording": "recording_001", "coder": "cy", "segments": judged}))
    files = [str(tmp_path / name) for name in ("a.csv", "b.json")]
    main([*files, "--predictions", str(predictions), "--out", str(tmp_path / "out")])
    pairs = agreement(tmp_path / "out")
    assert float(pairs["cy", "ann"]["kappa"]) == 1
    assert float(pairs["bob", "ann"]["kappa"]) == 0
    # values: 48 ones of ann and of cy, 48 of the annotator (2-4 s), none of bob; pairs of the same within frames:
    # 24 frames 2:2, 24 frames 3:1 (ann, cy, annotator), 24 frames 1:3, 168 of four zeros; see Krippendorff 2004
    same = (24 * (2 + 2) + 24 * (6 + 0) + 24 * (0 + 6) + 168 * 12) / 3
    ones, values = 144, 960
    expected = 1 - (values - 1) * (values - same) / (values**2 - ones**2 - (values - ones) ** 2)
    found = json.loads((tmp_path / "out/agreement.json").read_text())["krippendorff_alpha_of_people"]
    assert found == pytest.approx(expected)


def test_files_of_others(predictions: Path, tmp_path: Path) -> None:
    eaf = Eaf()
    eaf.add_tier("Codes A")
    eaf.add_tier("cue_face")
    for start, value in ((1000, "ambivalent"), (2000, "joy"), (3000, "?")):
        eaf.add_annotation("Codes A", start, start + 1000, value)
    eaf.add_annotation("cue_face", 1000, 2000, "frown")
    eaf.to_file(str(tmp_path / "recording_001.eaf"))
    tab = "Tier\tBegin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tEnd Time - hh:mm:ss.ms\tEnd Time - ss.msec\tCode\n"
    (tmp_path / "recording_001.txt").write_text(f"{tab}Codes B\t00:00:01.000\t1.000\t00:00:02.000\t2.000\thesitant\n")
    (tmp_path / "bare.txt").write_text("Codes B\t\t1000\t2000\t1000\thesitant\n")
    text = "anna: {tier: Codes A, positive: [ambivalent, hesitant]}\nben: {tier: Codes B}\n"
    (tmp_path / "tiers.yaml").write_text(text)
    files = [str(tmp_path / f"recording_001.{suffix}") for suffix in ("eaf", "txt")]
    tiers = ["--tiers", str(tmp_path / "tiers.yaml")]
    main([*files, "--predictions", str(predictions), "--out", str(tmp_path / "out"), *tiers])
    row = agreement(tmp_path / "out")["ben", "anna"]
    assert (row["frames"], float(row["kappa"])) == (str(FRAMES - 24), 1)
    assert read_tab(tmp_path / "bare.txt") == read_tab(tmp_path / "recording_001.txt")
    given = read_tier_list(tmp_path / "tiers.yaml")
    (anna,) = read_codings(tmp_path / "recording_001.eaf", "", {"recording_001": []}, {"anna": given["anna"]})
    assert (anna.positive, anna.unsure, anna.cues) == ([(24, 48)], [(72, 96)], [((24, 48), "cue_face: frown")])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("recording_002.eaf", "<ANNOTATION_DOCUMENT/>", "no recording that was predicted"),
        ("recording_001.eaf", "<ANNOTATION_DOCUMENT/>", "no tier AH_reviewed"),
        ("recording_0010.eaf", "<ANNOTATION_DOCUMENT/>", "no recording that was predicted"),
        ("a.csv", "recording,start_s\nx,1\n", "lacks columns"),
        ("a.csv", "recording,start_s,end_s\nrecording_001,3,1\n", "line 2"),
        ("a.csv", "recording,start_s,end_s\nrecording_001,one,2\n", "line 2"),
        ("a.csv", "recording,start_s,end_s,verdict\nrecording_001,1,2,perhaps\n", "accept, reject, unsure"),
        ("a.csv", "recording,start_s,end_s\nrecording_009,1,2\n", "recording_009, which was not predicted"),
        ("a.csv", 'recording,start_s,end_s\n"recording_001,1,2\n', "no CSV table"),
        ("a.csv", "recording,start_s,end_s,coder\nrecording_001,1,2,model\n", "no coder can be named model"),
        ("a.json", "{}", "no review"),
        ("a.json", '{"recording": "recording_001", "segments": [{"start_frame": 5, "end_frame": 5}]}', "no review"),
        ("a.json", "[" * 100_000, "no review"),
        ("recording_001.txt", "Tier\tBegin\nAH_reviewed\t1000\t500\tx\n", "line 2"),
        ("a.docx", "", "a kind that is not read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(predictions: Path, tmp_path: Path, name: str, content: str, told: str):
    (tmp_path / name).write_text(content)
    with pytest.raises(WaverError, match=told):
        main([str(tmp_path / name), "--predictions", str(predictions), "--out", str(tmp_path / "out")])


def test_a_file_that_cannot_be_used_is_listed_and_the_others_are_compared(predictions: Path, tmp_path: Path, capsys):
    folder = tmp_path / "mine"
    edited(predictions, folder, (1000, 3000, "A/H"))
    (folder / "recording_001_eva.eaf").write_text("<ANNOTATION_DOCUMENT")
    late = Eaf(str(folder / "recording_001.eaf"))
    late.add_annotation("AH_reviewed", 900_000, 901_000, "A/H")
    late.to_file(str(folder / "recording_001_late.eaf"))
    (folder / "recording_009.eaf").write_text("<ANNOTATION_DOCUMENT/>")
    out = ["--predictions", str(predictions), "--out", str(tmp_path / "out")]
    assert main([str(folder), str(tmp_path / "gone.eaf"), *out]) == 2
    assert float(agreement(tmp_path / "out")["reviewer", "model"]["kappa"]) > 0.7
    *_, head, broken, late_one, unknown, gone = capsys.readouterr().out.splitlines()
    assert head == "4 files could not be used:"
    assert broken.strip().startswith(f"{folder}/recording_001_eva.eaf is no complete XML file; open it")
    assert "recording_001_late.eaf: reviewer codes recording_001 as far as 901" in late_one
    assert "recording_009.eaf is named as no recording that was predicted" in unknown
    assert f"{tmp_path}/gone.eaf" in gone
    (predictions / "recording_001.eaf").write_text("<ANNOTATION_DOCUMENT")
    assert main([str(folder / "recording_001.eaf"), *out]) == 0
    assert "without its annotation: " in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    with pytest.raises(WaverError, match=r"empty holds no \.eaf"):
        main([str(tmp_path / "empty"), *out])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_sha256": "c" * 64, "run": "older"}, "was predicted by can/VAT/0 of older, and these predictions by"),
        ({"stamp": "c" * 64}, "is of an earlier prediction by the same model"),
    ],
)
def test_a_file_of_another_prediction_says_so(predictions: Path, tmp_path: Path, capsys, change, told: str) -> None:
    """What a person changed of it nobody knows, unless the tier of the review says it."""
    assert read_stamp(predictions / "recording_001.eaf") == STAMP
    other = tmp_path / "other"
    probability = np.full(FRAMES, 0.1)
    probability[48:96] = 0.9
    write_annotations(with_segments(result(probability), DURATIONS), other, DURATIONS, stamp=STAMP | change)
    out = ["--predictions", str(predictions), "--out", str(tmp_path / "out")]
    with pytest.raises(WaverError, match=f"{told}.*give the predictions that it is of"):
        main([str(other), *out])
    review = edited(other, tmp_path / "mine", (1000, 3000, "A/H"))
    assert read_stamp(review) == STAMP | change, "pympi keeps it, as ELAN does"
    assert main([str(review), *out]) == 0
    said = capsys.readouterr().out
    assert told in said
    assert "it is used, as its tier AH_reviewed" in said
    write_annotations(with_segments(result(probability), DURATIONS), other, DURATIONS, stamp=STAMP)
    assert main([str(other), *out]) == 0, "of this prediction: the person moved the segments"


def test_two_codings_of_one_person_are_refused(predictions: Path, tmp_path: Path) -> None:
    review = edited(predictions, tmp_path / "mine", (1000, 3000, "A/H"))
    out = ["--predictions", str(predictions), "--out", str(tmp_path / "out")]
    with pytest.raises(WaverError, match="reviewer codes recording_001 twice"):
        main([str(review), str(review), *out])
    assert main([f"eva={review}", f"max={review}", *out]) == 0
    with pytest.raises(WaverError, match=r"give --coder, one of eva, max"):
        main([f"eva={review}", f"max={review}", *out, "--add-to", str(tmp_path / "set")])


def test_reviewed_segments_are_the_labels_of_a_training_set(predictions: Path, tmp_path: Path, capsys) -> None:
    """What the reader of the folder gives the frames is what the person said, frame by frame."""
    clip = write_clip(tmp_path / "DESKTOP-7 anna.mp4", constant_rate(24, 12))
    given = Given(clip, "anna%2F1", 3, "en", None, "recording_001")
    write_mapping(predictions / "private/recordings.csv", [given])
    command = ["--predictions", str(predictions), "--out", str(tmp_path / "out"), "--add-to", str(tmp_path / "set")]
    review = edited(predictions, tmp_path / "mine", (0, 42, "A/H"), (2042, 3708, "A/H"), (9958, 10000, "A/H"))
    for _ in range(2):  # the second time replaces the first
        assert main([str(review), *command]) == 0
    excluded: list[Row] = []
    (one,), (person,) = read_listing(tmp_path / "set", excluded)
    assert (one.participant, one.split, one.question, one.label, one.language) == ("anna%2F1", "train", 3, 1, "en")
    assert not person["consent_publication"]
    assert (tmp_path / "set" / one.path).read_bytes() == clip.read_bytes()
    assert "DESKTOP" not in (tmp_path / "set/videos.csv").read_text() + one.path
    spans = read_segments(tmp_path / "set", [one], excluded)[one.video]
    assert excluded == []
    said = frames_of_spans([(0, 1), (49, 89), (239, 240)], FRAMES)
    assert np.array_equal(_within([(one.start_s, one.end_s) for one in spans], FRAMES), said)
    unsure = edited(predictions, tmp_path / "other", (2000, 3000, "unsure"))
    assert main([str(unsure), *command]) == 0
    assert "recording_001 is not added: the coder was unsure" in capsys.readouterr().out
    clip.unlink()
    with pytest.raises(WaverError, match="the file of recording_001 is not there"):
        main([str(review), *command])
    (predictions / "private/recordings.csv").unlink()
    with pytest.raises(WaverError, match="does not say which file"):
        main([str(review), *command])


def test_cues_are_added_with_the_segments_and_those_of_other_recordings_stay(predictions: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", constant_rate(24, 12))
    write_mapping(predictions / "private/recordings.csv", [Given(clip, "anna", 3, "en", None, "recording_001")])
    review = edited(predictions, tmp_path / "mine", (1000, 2000, "A/H"), (3000, 4000, "A/H"))
    for tier, start, cue in (
        ("cue_face", 1500, "frown"), ("cue_face", 1800, "gaze; away"), ("cue_voice", 1000, "sigh"),
        ("cue_body", 3500, "shrug"), ("cue_of_mine", 1000, "x"), ("cue_face", 9000, "smile"),
    ):  # fmt: skip
        edited_copy = Eaf(str(review))
        if tier not in edited_copy.get_tier_names():
            edited_copy.add_tier(tier)
        edited_copy.add_annotation(tier, start, start + 200, cue)
        edited_copy.to_file(str(review))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/videos.csv").write_text("participant,video,split,label\nbob,b.mp4,val,1\n")
    (tmp_path / "set/segments.csv").write_text("video,start_s,end_s,certainty,facial\nb.mp4,1,2.5,3,smile\n")
    command = ["--predictions", str(predictions), "--out", str(tmp_path / "out"), "--add-to", str(tmp_path / "set")]
    for _ in range(2):
        assert main([str(review), *command]) == 0
    (whose,) = read_mapping(tmp_path / "out/private/recordings.csv")
    assert (whose.participant, whose.file) == ("anna", Path())
    listed, _ = read_listing(tmp_path / "set", [])
    spans = read_segments(tmp_path / "set", listed, [])
    (bobs,) = spans["b"]
    assert (bobs.start_s, bobs.end_s, bobs.certainty, bobs.cues) == (1, 2.5, 3, (("facial", "smile"),))
    own = spans[next(one.video for one in listed if one.participant == "anna")]
    assert [one.cues for one in own] == [(("facial", "frown; gaze; away"), ("audio", "sigh")), (("body", "shrug"),)]


def test_the_files_say_what_was_predicted(predictions: Path) -> None:
    files = read_predicted(predictions)["recording_001"]
    assert files.segments == SEGMENTS
    assert files.annotated == [(48, 96)]
    with (predictions / "recording_001_segments.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["start_s"], row["end_s"], row["p_mean"]) for row in rows] == [
        ("1.000", "3.000", "0.900000"),
        ("5.000", "6.000", "0.600000"),
    ]
    known = json.loads((predictions / "segments.schema.json").read_text())
    assert [one["name"] for one in known["fields"]] == list(rows[0])
    with pytest.raises(WaverError, match="holds no predictions"):
        read_predicted(predictions / "nowhere")


def test_predictions_are_exported_for_their_owner_alone(predictions: Path, tmp_path: Path) -> None:
    with pytest.raises(WaverError, match="no trained model and no predictions"):
        export(ExportRequest(predictions, tmp_path / "out"))
    (predictions / "run.json").write_text("{}")
    (predictions / "recordings").mkdir()
    (predictions / "recordings/recording_001.mp4").touch()
    with pytest.raises(WaverError, match=r"nobody in .* was asked about publication"):
        export(ExportRequest(predictions, tmp_path / "out"))
    with pytest.raises(WaverError, match="--media"):
        export(ExportRequest(predictions, tmp_path / "out", media=tmp_path))
    assert export(ExportRequest(predictions, tmp_path / "deep/out", "internal", ("eaf", "vtt"))) == (1, 0)
    assert sorted(file.name for file in (tmp_path / "deep/out").iterdir()) == ["recording_001.eaf", "recording_001.vtt"]
    linked = Eaf(str(tmp_path / "deep/out/recording_001.eaf")).get_linked_files()[0]["RELATIVE_MEDIA_URL"]
    assert (tmp_path / "deep/out" / linked).resolve() == (predictions / "recordings/recording_001.mp4").resolve()


def test_unsure_frames_in_the_middle_of_a_segment_do_not_cut_it_in_two():
    model, coder = np.zeros(100, np.int8), np.zeros(100, np.int8)
    model[20:80], coder[20:45], coder[45:55] = 1, 1, UNKNOWN
    (row,) = agreement_rows({"recording": {MODEL_CODER: model, "anna": coder}})
    # of 50 known frames of the model's one segment, 25 are the coder's
    assert [row[f"segment_F1_{overlap}"] for overlap in (10, 50)] == [1, 1]
    assert row["frames"] == 90
    assert row["false_alarms_per_min"] == 0
