import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from waver.report.costs import costs
from waver.report.facts import compared
from waver.report.inputs import load
from waver.report.summary import summary
from waver.report.tables import results
from waver.report.timeline import choose, draw_timeline
from waver.report.wording import count, interval, listed, method_name, p_value, score, share, signed, span
from waver.store.tables import PACK_INDEX, read_table


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


def scored(method, value, difference=None, level="frame", protocol="standard", people=9):
    base = {"modalities": "", "level": level, "split": "test", "protocol": protocol, "group": "all", "n": 100,
            "participants": people, "positives": 20, "predicted_positives": 9, "seeds": 1, "model_set": ""}  # fmt: skip
    rows = [{**base, "method": method, "metric": "AVGF1", "value": value, "low": value - 0.05, "high": value + 0.05}]
    if difference:
        low, high = difference
        named = {"metric": "AVGF1_minus_content_free", "value": (low + high) / 2, "low": low, "high": high}
        rows.append({**base, "method": method, **named})
    return rows


@pytest.mark.parametrize(
    ("value", "difference", "says"),
    [
        (0.70, (0.02, 0.10), "That is .060 above the content-free control"),
        (0.66, (-0.03, 0.07), "Nothing is shown to beat it"),
        (0.60, (-0.09, 0.01), "Nothing beats the content-free control (.640)"),
        (0.64, (-0.04, 0.04), "the best method scores the same"),
        (0.70, None, "without an interval of the difference"),
    ],
)
def test_summary_says_what_the_difference_shows(made, report_config, value, difference, says):
    material = load(made.inputs, report_config, "demo", True)
    rows = [*scored("content_free", 0.64), *scored("lfan", value, difference), *scored("oracle", 0.99)]
    sentences = summary(replace(material, comparisons=[], scores=rows))
    assert "9 test participants, LFAN comes first" in sentences[0]
    assert says in sentences[1]


def test_summary_tells_what_weakens_a_difference(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    control, leader, other = scored("content_free", 0.64), scored("lfan", 0.70, (0.02, 0.10)), scored("can", 0.69)
    several = summary(replace(material, comparisons=[], scores=[*control, *leader, *other]))
    assert "comes first of 2 methods" in several[0]
    assert "picked from 2 by this score" in several[1]
    assert "too narrow" in several[1]
    many = [*scored("content_free", 0.64, people=40), *scored("lfan", 0.70, (0.02, 0.10), people=40)]
    one = summary(replace(material, comparisons=[], scores=many))
    assert "picked" not in one[1]
    assert "too narrow" not in one[1]


def test_summary_tells_where_one_answer_for_everything_does_as_well(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    rows = [*scored("content_free", 0.30), *scored("lfan", 0.46, (0.1, 0.2)), *scored("all_positive", 0.1)]
    assert "One answer" not in summary(replace(material, comparisons=[], scores=rows))[1]
    rows += scored("all_negative", 0.5)
    assert (
        "One answer for everything scores no less (all negative .500)"
        in summary(replace(material, comparisons=[], scores=rows))[1]
    )


def test_summary_names_nobody_winner_of_an_adaptation(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    where = {"level": "participant", "protocol": "block"}
    rows = [*scored("source_only", 0.45, **where), *scored("shot", 0.46, (-0.2, 0.06), **where)]
    (alone,) = summary(replace(material, comparisons=[], scores=rows))
    assert alone.startswith("With blocks of time kept apart, the best of the adapted models is SHOT")
    assert ".460 (95 % interval .41 to .51), against .450 without adapting." in alone
    rows += [*scored("content_free", 0.53, **where), *scored("oracle", 0.9, **where)]
    (beside,) = summary(replace(material, comparisons=[], scores=rows))
    assert ".530 for the content-free control" in beside
    assert "(difference to the control −.070, 95 % interval −.20 to .06)" in beside


def test_captions_of_participants_tell_what_was_scored(made):
    found = load(made.inputs, {}, "demo", True).scores
    assert "scored on all their frames" in results(found, "participant", "test").caption
    assert "kept apart from adaptation" in results(found, "participant", "test", "block").caption


def test_a_mean_over_one_person_says_so():
    rows = scored("content_free", 0.5, level="participant", people=6)
    alone = {**rows[0], "metric": "AUROC_within", "value": 1.0, "low": None, "high": None}
    (control,) = results([*rows, alone], "participant", "test").controls
    assert [cell.below for cell in control.cells[:2]] == [".45–.55", "one person"]


def test_what_is_compared_with_the_papers(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    assert "is scored on the test split, 9 participants" in compared(material, "frame")
    assert "scored nothing here" in compared(replace(material, scores=[]), "frame")
    rows = [{**row, "split": "cv"} for row in scored("lfan", 0.7, level="video")]
    told = compared(replace(material, scores=rows), "video")
    assert "by cross-validation on train and val, 9 participants and 100 videos" in told
    assert "Nobody scored here is in those" in told


def test_the_timelines_caption_tells_what_is_drawn(made, report_config, gate_of, tmp_path):
    material = load(made.inputs, report_config, "demo", True)
    whole, _ = draw_timeline(material, gate_of(material), tmp_path)
    assert "lines are the models' probability of A/H and the broken grey line is the content-free" in whole.caption
    assert "Below: the words at their times and the log-mel spectrogram." in whole.caption
    bare, _ = draw_timeline(replace(material, predictions={}), gate_of(material), tmp_path)
    assert "line" not in bare.caption


@pytest.mark.parametrize("order", [1, -1])
def test_the_timeline_needs_the_pack_of_its_video_alone(made, report_config, gate_of, tmp_path, caplog, order):
    material = load(made.inputs, report_config, "demo", True)
    row, _ = choose(material, gate_of(material))
    packs = shutil.copytree(material.inputs.packs, tmp_path / "align/packs")
    indexes = [Path(shutil.copy(index, packs.parent)) for index in material.inputs.pack_indexes][::order]
    material = replace(material, inputs=replace(material.inputs, packs=packs, pack_indexes=indexes))
    own = [index for index in indexes if row["video"] in {known["video"] for known in read_table(index, PACK_INDEX)}]
    for index in set(indexes) - set(own):
        shutil.rmtree(packs / f"{index.stem}.zarr")
    assert draw_timeline(material, gate_of(material), tmp_path)[0] is not None
    (tmp_path / "timeline.svg").unlink()
    shutil.rmtree(packs)
    figure, why = draw_timeline(material, gate_of(material), tmp_path)
    assert figure is None
    assert "the labels of the video's frames cannot be read" in why
    assert "no timeline is drawn" in caplog.text
    assert f"delete {own[0]} and run again" in caplog.text
    assert not (tmp_path / "timeline.svg").exists()


def test_summary_without_control_or_scores(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    assert "cannot be judged" in summary(replace(material, comparisons=[], scores=scored("lfan", 0.7)))[1]
    assert summary(replace(material, comparisons=[], scores=[])) == ["No method was scored."]


def test_the_timeline_prefers_a_consenting_persons_video_with_faces(made, report_config, gate_of):
    material = load(made.inputs, report_config, "demo", True)
    row, _ = choose(material, gate_of(material))
    assert row["split"] == "test"
    assert row["participant"] not in ("82017", "82019", "82022")
    assert row["video"] != "82020_Q3"  # no face was found there
    assert 0.05 < row["positive_frames"] / row["frames"] < 0.8
