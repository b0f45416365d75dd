import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from waver.io.tables import PACK_INDEX, read_table
from waver.report.data import load
from waver.report.figures.timeline import choose, draw_timeline
from waver.report.formatting import count, interval, listed, method_name, p_value, score, share, signed, span
from waver.report.ranking import shown_scores
from waver.report.tables.results import results
from waver.report.tables.run_times import costs
from waver.report.text.facts import compared


def test_numbers():
    assert (score(0.6391), score(-0.02), score(1.0), score(None), score(float("nan"))) == (
        ".639",
        "-.020",
        "1.000",
        "–",
        "–",
    )
    assert (score(-0.00001), signed(-0.0123), signed(0.5)) == (".000", "−.012", "+.500")
    assert (interval(-0.02, 0.031), interval(0.606, 0.673, " to "), interval(None, 1.0)) == (
        "−.02 to .03",
        ".61 to .67",
        "",
    )
    assert (count(335110), share(1, 8), share(0, 0)) == ("335,110", "12.5 %", "–")
    assert [span(s) for s in (2.13, 41.2, 720, 12240)] == ["2.1 s", "41 s", "12 min", "3.4 h"]
    assert (method_name("lfan", "AT"), method_name("content_free"), listed(["a", "b", "c"])) == (
        "LFAN A+T", "Content-free control", "a, b and c",
    )  # fmt: skip
    assert [p_value(p) for p in (0.0123, 0.0002, None)] == ["p .012", "p < .001", ""]


def test_names_tell_what_a_method_is_given():
    named = {("lfan", "ATQ"): "LFAN A+T + question", ("lfan", "T"): "LFAN T", ("lfan", "Q"): "LFAN question",
             ("tfidf", "T"): "TF-IDF, words", ("encoder", "TQ"): "Fine-tuned encoder, words + question",
             ("cues", "Q"): "Cue counts, question", ("question_prior", ""): "Question prior",
             ("question_prior", "Q"): "Question prior, as a model"}  # fmt: skip
    assert {names: method_name(*names) for names in named} == named


def test_costs_are_summed_per_rule_in_order_of_stages(tmp_path):
    jobs = {"train/lfan/VAT/0": {"s": 60, "max_rss": 2048, "cpu_time": 90}, "ingest/all": {"s": 2, "max_rss": "NA"},
            "train/can/VAT/0": {"s": 30, "max_rss": 512, "cpu_time": "NA"}}  # fmt: skip
    for name, job in jobs.items():
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(job) + '\n{"s": 1')
    ingest, train = costs(tmp_path)
    assert (ingest.rule, ingest.jobs, ingest.wall, ingest.memory, ingest.cpu) == ("ingest", 1, "2.0 s", "–", "–")
    assert (train.jobs, train.wall_s, train.longest_s, train.cpu_s, train.memory) == (2, 90, 60, 90, "2.0 GB")
    assert costs(tmp_path / "nowhere") == []


def test_captions_of_participants_tell_what_was_scored(made, report_config):
    found = load(made.inputs, report_config, "demo", True).scores
    assert "scored on all their frames" in results(found, "participant", "test").caption
    assert "held out from adaptation" in results(found, "participant", "test", "block").caption


def scored(method, value, level="frame", people=9):
    """A row of the scores table."""
    about = {"modalities": "", "level": level, "split": "test", "protocol": "standard", "group": "all", "n": 100,
             "participants": people, "positives": 20, "predicted_positives": 9, "seeds": 1,
             "model_set": ""}  # fmt: skip
    return [{**about, "method": method, "metric": "AVGF1", "value": value, "low": value - 0.05, "high": value + 0.05}]


def test_a_withheld_score_is_a_dash():
    rows = scored("content_free", 0.5, level="participant", people=6)
    alone = {**rows[0], "metric": "AUROC_within", "value": None, "low": None, "high": None}
    (control,) = results([*rows, alone], "participant", "test").controls
    assert [(cell.text, cell.below) for cell in control.cells[:2]] == [(".500", ".45–.55"), ("–", "")]


def test_a_table_without_a_score_is_no_table():
    val = [{**row, "split": "val", "value": None} for row in scored("lfan", 0.7)]
    assert shown_scores([*val, *scored("lfan", 0.7)]) == scored("lfan", 0.7)


def test_what_is_compared_with_the_papers(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    assert "is scored on the test split, 9 participants" in compared(material, "frame")
    assert "no score at this level" in compared(replace(material, scores=[]), "frame")
    rows = [{**row, "split": "cv"} for row in scored("lfan", 0.7, level="video")]
    text = compared(replace(material, scores=rows), "video")
    assert "by cross-validation on train and val, 9 participants and 100 videos" in text
    assert "No participant of this run is in these test sets" in text


@pytest.mark.slow
def test_the_timelines_caption_tells_what_is_drawn(made, report_config, gate_of, tmp_path):
    material = load(made.inputs, report_config, "demo", True)
    full, _ = draw_timeline(material, gate_of(material), tmp_path)
    assert [
        part for part in ("probability of A/H", "content-free control", "words", "log-mel") if part not in full.caption
    ] == []
    bare, _ = draw_timeline(replace(material, predictions={}), gate_of(material), tmp_path)
    assert "line" not in bare.caption


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1])
def test_the_timeline_needs_the_pack_of_its_video_alone(made, report_config, gate_of, tmp_path, caplog, order):
    material = load(made.inputs, report_config, "demo", True)
    row, _ = choose(material, gate_of(material))
    packs = shutil.copytree(material.inputs.packs, tmp_path / "align/packs")
    indexes = [Path(shutil.copy(index, packs.parent)) for index in material.inputs.pack_indexes][::order]
    material = replace(material, inputs=replace(material.inputs, packs=packs, pack_indexes=indexes))
    own = [index for index in indexes if row["video"] in {known["video"] for known in read_table(index, PACK_INDEX)}]
    for index in set(indexes) - set(own):
        (packs / f"{index.stem}.zarr").unlink()
    assert draw_timeline(material, gate_of(material), tmp_path)[0] is not None
    (tmp_path / "timeline.svg").unlink()
    shutil.rmtree(packs)
    figure, why = draw_timeline(material, gate_of(material), tmp_path)
    assert figure is None
    assert why.startswith("No video is shown")
    assert "labels" in why
    assert "no timeline" in caplog.text
    assert f"delete {own[0]} and run again" in caplog.text
    assert not (tmp_path / "timeline.svg").exists()


def test_the_timeline_prefers_a_consenting_persons_video_with_faces(made, report_config, gate_of):
    material = load(made.inputs, report_config, "demo", True)
    row, _ = choose(material, gate_of(material))
    assert row["split"] == "test"
    assert row["participant"] not in ("82017", "82019", "82022")
    assert row["video"] != "82020_Q3"  # no face was found there
    assert 0.05 < row["positive_frames"] / row["frames"] < 0.8
