import csv
import re
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from waver.report.asked import asked
from waver.report.beside import beside, own_split
from waver.report.chapter import chapter, plainest
from waver.report.decomposed import taken_apart
from waver.report.findings import gaps, inside, verdict
from waver.report.inputs import load
from waver.report.published import derived_avgf1, prevalence
from waver.report.rule import ruled
from waver.report.standings import standings
from waver.report.summary import summary
from waver.report.tables import differences

pytestmark = pytest.mark.slow


def row(method, difference, low, high, p, modalities="TQ", **about):  # fmt: skip
    return {
        "method": method,
        "modalities": modalities,
        "model_set": "",
        "reference": "content_free",
        "reference_modalities": "",
        "level": "video",
        "split": "cv",
        "protocol": "standard",
        "metric": "AVGF1",
        "difference": difference,
        "low": low,
        "high": high,
        "p_bootstrap": p,
        "p_holm": p,
        "participants": 168,
        "own_score": "accuracy",
        "n_participants": 168,
        "shift": 0.01,
        "p_wilcoxon": p,
        "p_wilcoxon_holm": p,
        "methods_in_family": 5,
        "methods_in_wilcoxon_family": 5,
        "resamples": 1400,
        "least_p_holm": 0.007,
        "least_p_wilcoxon_holm": 1e-9,
        **about,
    }


FEW = {"participants": 5, "n_participants": 5, "least_p_holm": 0.3125, "least_p_wilcoxon_holm": 0.3125}
"""Five methods of five people: signs alike are p .0625, five times that after Holm."""
ALONE = {"participants": 1, "n_participants": 1, "least_p_holm": None, "resamples": 0}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], ""),
        (
            [row("tfidf", 0.012, -0.01, 0.03, 0.4), row("cues", -0.02, -0.05, 0.01, 0.6)],
            "No method here is above the content-free control with certainty. The best of 2, TF-IDF, words + question, "
            "lies .012 above it (95 % interval −.01 to .03, p .40 of 1,400 resamples after Holm's correction over 5 "
            "methods).",
        ),
        (
            [row("tfidf", -0.012, -0.03, -0.006, 0.03)],
            "No method here is above the content-free control with certainty. TF-IDF, words + question lies .012 below "
            "it (95 % interval −.03 to −.01, p .030 of 1,400 resamples after Holm's correction over 5 methods). It is "
            "below it with certainty.",
        ),
        (
            [row("tfidf", 0.03, 0.01, 0.05, 0.004), row("cues", 0.09, -0.01, 0.2, 0.1)],
            "TF-IDF, words + question is above the content-free control by .030 (95 % interval .01 to .05, p .004 "
            "of 1,400 resamples after Holm's correction over 5 methods).",
        ),
        (
            [row("tfidf", 0.03, 0.01, 0.05, 0.08)],
            "No method here is above the content-free control with certainty. TF-IDF, words + question lies .030 above "
            "it (95 % interval .01 to .05, p .080 of 1,400 resamples after Holm's correction over 5 methods). By "
            "itself its interval leaves out zero, but among so many methods one would do so by luck.",
        ),
        (
            [row("tfidf", 0.03, 0.01, 0.05, 0.3125, **FEW), row("cues", 0.02, 0.01, 0.05, 0.3125, **FEW)],
            "Whether a method here is above the content-free control cannot be told: of 5 participants and 5 methods, "
            "no p after Holm's correction can be below .31. The best of 2, TF-IDF, words + question, lies .030 above "
            "it (95 % interval .01 to .05, p .31 of 1,400 resamples after Holm's correction over 5 methods).",
        ),
        (
            [row("tfidf", 0.03, None, None, None, **ALONE)],
            "Whether a method here is above the content-free control cannot be told: 1 participant cannot be drawn "
            "again. TF-IDF, words + question lies .030 above it.",
        ),
        (
            [row("tfidf", 0.03, -0.01, 0.05, 0.4), row("cues", 0.02, 0.01, 0.05, 0.3125, **FEW)],
            "No method here is above the content-free control with certainty. The best of 2, TF-IDF, words + question, "
            "lies .030 above it (95 % interval −.01 to .05, p .40 of 1,400 resamples after Holm's correction over 5 "
            "methods). Cue counts, words + question could not have been: too few people were judged.",
        ),
    ],
)
def test_the_sentence_follows_from_the_comparisons(rows, says):
    assert verdict(gaps(rows, "video", "cv")) == says


def test_a_ceiling_and_a_control_are_never_above():
    rows = [row("oracle", 0.2, 0.1, 0.3, 0.001), row("question_prior", 0.2, 0.1, 0.3, None)]
    assert verdict(gaps(rows, "video", "cv")) == ""
    assert [gap.method for gap in gaps(rows, "video", "cv", controls=True)] == ["question_prior"]


def test_differences_stand_with_their_p_and_blue_only_where_certain():
    rows = [row("tfidf", 0.03, 0.01, 0.05, 0.004), row("cues", 0.02, 0.001, 0.05, 0.2),
            row("all_negative", -0.3, -0.4, -0.2, None, "")]  # fmt: skip
    table = differences(rows, "video", "cv")
    first, second = (shown.cells[0] for shown in table.methods)
    assert (first.text, first.below, first.best) == ("+.030", ".01–.05\np .004", True)
    assert (second.text, second.best) == ("+.020", False)
    assert table.controls[0].cells[0].below == "−.40 to −.20"
    assert "p of 1,400 resamples after Holm's correction" in table.caption
    assert "cannot" not in table.caption
    assert differences(rows[2:], "video", "cv") is None


def test_a_table_says_what_no_test_could_find():
    rows = [row("tfidf", 0.03, 0.01, 0.05, 0.3125, p_wilcoxon_holm=0.5, **FEW)]
    table = differences(rows, "video", "cv")
    (shown,) = table.methods
    assert shown.cells[0].below == ".01–.05\np .31, never below .31"
    assert shown.cells[-1].below == "accuracy\np .50, never below .31"
    few = "of 5 participants and 5 methods, no p after Holm's correction can be below .31."
    assert f"Whether a method is above it in AVGF1 cannot be told: {few}" in table.caption
    assert f"Person by person, Wilcoxon's test cannot find a difference: {few}" in table.caption
    fewer = [row("tfidf", 0.03, 0.01, 0.05, 0.3125, **FEW | {"methods_in_wilcoxon_family": 4})]
    told = "find a difference: of 5 participants and 4 methods, no p after Holm's correction can be below .31."
    assert told in differences(fewer, "video", "cv").caption
    # one method that can be told apart is enough for a column to be read
    both = differences([*rows, row("cues", 0.02, 0.01, 0.05, 0.02, resamples=8000)], "video", "cv")
    assert "cannot" not in both.caption
    assert "p of 1,400 to 8,000 resamples" in both.caption


def test_one_real_method_among_the_synthetic_is_found(texts_only, report_config, tmp_path):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    told = chapter(material, tmp_path)
    (video,) = [part for part in told.parts if part.heading == "Whole videos"]
    assert video.sentences[0].startswith(
        "Cross-validation: Fine-tuned encoder, words + question is above the content-free control by ."
    )
    assert "below it with certainty" in video.sentences[0]
    assert any("Between two answers to the same question" in sentence for sentence in video.sentences)
    assert len(told.parts) == 1  # frame by frame, controls stand alone and nothing is held against them
    assert "asked the same 4 questions" in told.opening[0]
    assert "after question 1 (meant to be neutral) 0 %" in told.opening[0]
    names = {path.stem for path in tmp_path.glob("*.svg")}
    assert names == {"asked", "beside", "decomposition-video", "within-video"}


def test_the_summary_takes_cross_validation_first_and_test_apart(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    sentences = summary(material)
    assert "for whole videos by cross-validation over 18 participants, Fine-tuned encoder" in sentences[0]
    assert "comes first of 4 methods" in sentences[0]
    assert "is above the content-free control by" in sentences[1]
    test = [{**one, "split": "test"} for one in material.scores if one["split"] == "cv"]
    both = summary(replace(material, scores=[*material.scores, *test]))
    assert "On 18 test participants, who had no part in that choice, Fine-tuned encoder" in both[2]


def test_the_parts_of_a_score_add_up(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    found = taken_apart(material.decomposition, "video", "cv")
    assert [one.name for one in found][-1] == "Content-free control"
    for one in found[:-1]:
        steps = [step["gain"] for step in one.steps[1:]]
        assert one.steps[0]["value"] + sum(steps) == pytest.approx(one.last["value"])
    values = [one.last["value"] for one in found[:-1]]
    assert values == sorted(values, reverse=True)
    assert taken_apart(material.decomposition, "video", "test") == []


def test_inside_the_questions_names_the_control(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    rows = standings(material.scores, "video", "cv")
    found = gaps(material.comparisons, "video", "cv", "AUROC_within")
    best = next(gap for gap in found if gap.method == "encoder")
    sure, unsure = (replace(best, p=p) for p in (0.01, 0.2))
    told = inside(rows, [sure])
    assert told.startswith("Between two answers to the same question, one with A/H and one without, Fine-tuned encoder")
    assert told.endswith("; the difference is certain.")
    assert inside(rows, [unsure]).endswith("; the difference may be luck.")
    few = replace(unsure, row={**unsure.row, **FEW})
    assert "; whether the difference is luck cannot be told: of 5 participants" in inside(rows, [few])
    assert inside([], []) == ""


def test_shares_by_question_are_those_of_the_labels(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    found = asked(material)
    for share in found.by_question:
        labels = [one["label"] for one in material.answers if one["question"] == share.question]
        assert share.value == pytest.approx(sum(labels) / len(labels))
        assert share.low <= share.value <= share.high
    assert found.by_question[0].value == 0  # see report_inputs: no A/H in question 1
    few = replace(material, answers=[one for one in material.answers if one["participant"] in ("82001", "82002")])
    assert asked(few) is None
    hidden = replace(material, answers=[{**one, "split": "test"} for one in material.answers])
    assert asked(hidden) is None


def test_the_rule_learns_nothing_from_whom_it_judges(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    found = ruled(material, "frame", "val")
    flipped = [{**one, "positive_frames": one["frames"] - one["positive_frames"]} if one["split"] == "val" else one
               for one in material.packs]  # fmt: skip
    assert ruled(replace(material, packs=flipped), "frame", "val").questions == found.questions == (3, 4)
    assert ruled(material, "video", "cv").participants == 18
    assert ruled(material, "frame", "test") is None
    assert plainest(replace(material, packs=[], answers=[])) == ""


def public_labels(folder):
    """What the rule needs of a material, from the public segments; frames between two segments are in neither."""
    packs = []
    for split in ("train", "val"):
        counts = defaultdict(lambda: np.zeros(2, int))
        with open(folder / f"segments_{split}.csv", newline="") as stream:
            for part in csv.DictReader(stream):
                size = int(part["end_frame"]) + 1 - int(part["start_frame"])
                counts[part["video"]] += (size, size * int(part["label"]))
        for name, (frames, positive) in counts.items():
            person, question = re.search(r"Videos/(\d+)/.*_Question_(\d)_", name.replace(" ", "_")).groups()
            packs.append({"participant": person, "split": split, "question": int(question), "frames": int(frames),
                          "positive_frames": int(positive), "labelled": True})  # fmt: skip
    return SimpleNamespace(used=packs, answers=[], folds=5)


def test_the_rule_on_the_public_labels(bah_files):
    """Positive after questions 4 and 7: figures worked out apart from this code, with other resamples."""
    material = public_labels(bah_files)
    frame, person = ruled(material, "frame", "val"), ruled(material, "participant", "val")
    assert frame.questions == (4, 7)
    assert (frame.value, frame.low, frame.high) == pytest.approx((0.639, 0.606, 0.673), abs=0.006)
    assert frame.value == pytest.approx(0.639, abs=0.0005)
    assert (person.value, person.participants) == (pytest.approx(0.587, abs=0.0005), 22)


def test_published_scores_worked_out_from_others():
    assert derived_avgf1(0.0, 0.7148, prevalence("224", "frame")) == pytest.approx(0.4453, abs=2e-4)
    assert derived_avgf1(0.2737, 0.7396, prevalence("224", "frame")) == pytest.approx(0.5639, abs=2e-4)
    assert derived_avgf1(0.0, 0.5628, prevalence("224", "video")) is None


def test_made_up_people_do_not_stand_beside_published_scores(made, report_config, tmp_path):
    told = chapter(load(made.inputs, report_config, "demo", True), tmp_path)
    assert told.beside is None
    assert told.rule == ""
    real = chapter(load(made.inputs, report_config, "bah300", False), tmp_path)
    assert real.rule.startswith("The plainest predictor of this kind needs no fitting")
    assert "Oracle V, which is given the person's labels, .586 (2026 paper, Table 5, release of 300)" in real.rule
    assert "CAN V+A+T .578 (dataset paper, Table 7, release of 224, worked out from F1 and WF1)" in real.rule


def test_the_method_beside_the_papers_was_not_chosen_on_test(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    test = [{**one, "split": "test"} for one in material.scores if one["split"] == "cv"]
    best = {"method": "tfidf", "modalities": "T", "metric": "AVGF1"}
    test = [{**one, "value": 0.999} if best.items() <= one.items() else one for one in test]
    lines = beside(replace(material, scores=[*material.scores, *test]), "video")
    assert lines[-1].name == "ours: Fine-tuned encoder, words + question"
    assert own_split(replace(material, scores=[*material.scores, *test]), "video") == "test"
