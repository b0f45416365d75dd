from dataclasses import replace

import pytest

from waver.report.data import load
from waver.report.figures.decomposition import decomposed_scores
from waver.report.figures.published_scores import own_split, published_and_own
from waver.report.papers.published import derived_avgf1, prevalence
from waver.report.ranking import MethodScores, ranked_methods
from waver.report.tables.differences import differences
from waver.report.text.controls import _neighbours, control_section, plainest
from waver.report.text.findings import gaps, inside, verdict
from waver.report.text.summary import summary

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
        "improved": 99,
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


FEW = {"participants": 5, "n_participants": 5, "improved": 4, "least_p_holm": 0.3125, "least_p_wilcoxon_holm": 0.3125}
"""Five methods of five people: signs alike are p .0625, five times that after Holm."""
ALONE = {"participants": 1, "n_participants": 1, "least_p_holm": None, "resamples": 0}


NUMBERS = ".012 above it (95 % interval −.01 to .03, p .40 of 1,400 resamples after Holm's correction over 5 methods)"


@pytest.mark.parametrize(
    ("rows", "says", "not_says"),
    [
        ([row("tfidf", 0.012, -0.01, 0.03, 0.4), row("cues", -0.02, -0.05, 0.01, 0.6)],
         ["No method", "with certainty", f"The best of 2, TF-IDF, words + question, is {NUMBERS}."], ["Cue"]),
        ([row("tfidf", -0.012, -0.03, -0.006, 0.03)],
         ["No method", ".012 below it", "p .030", "It is below the control with certainty."], ["The best of"]),
        ([row("tfidf", 0.03, 0.01, 0.05, 0.004), row("cues", 0.09, -0.01, 0.2, 0.1)],
         ["TF-IDF, words + question is above the content-free control by .030", "p .004"], ["No method", "Cue"]),
        ([row("tfidf", 0.03, 0.01, 0.05, 0.004), row("cues", 0.02, 0.01, 0.05, 0.01)],
         ["is above the content-free control by .030", "Also above", "Cue counts, words + question (by .020)"], []),
        ([row("tfidf", 0.03, 0.01, 0.05, 0.08)],
         ["No method", ".030 above it", "interval excludes zero", "by chance"], ["could not have been"]),
        ([row("tfidf", 0.03, 0.01, 0.05, 0.3125, **FEW), row("cues", 0.02, 0.01, 0.05, 0.3125, **FEW)],
         ["is unknown: with 5 participants and 5 methods, no p after Holm's correction can be below .31.",
          "The best of 2"], ["No method", "chance"]),
        ([row("tfidf", 0.03, None, None, None, **ALONE)],
         ["is unknown: 1 participant cannot be resampled.", ".030 above it."], ["No method", "interval"]),
        ([row("tfidf", 0.03, -0.01, 0.05, 0.4), row("cues", 0.02, 0.01, 0.05, 0.3125, **FEW)],
         ["No method", "Cue counts, words + question could not have been", "too few people"], ["unknown"]),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_comparisons(rows, says, not_says):
    text = verdict(gaps(rows, "video", "cv"))
    assert [part for part in says if part not in text] == [], text
    assert [part for part in not_says if part in text] == [], text


def test_a_named_difference_is_not_repeated():
    rows = [row("tfidf", 0.03, 0.01, 0.05, 0.004), row("cues", 0.02, 0.01, 0.05, 0.01)]
    first = MethodScores("tfidf", "TQ", {})
    text = verdict(gaps(rows, "video", "cv"), first)
    assert text.startswith("This difference is certain.")
    assert "TF-IDF" not in text
    assert "Cue counts, words + question (by .020)" in text
    unsure = [row("tfidf", 0.012, -0.01, 0.03, 0.4), row("cues", -0.02, -0.05, 0.01, 0.6)]
    assert "The best of" not in verdict(gaps(unsure, "video", "cv"), first)
    assert "The best of 2, TF-IDF" in verdict(gaps(unsure, "video", "cv"), MethodScores("cues", "TQ", {}))
    assert verdict([], first) == ""


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
    assert "is unknown" not in table.caption
    assert differences(rows[2:], "video", "cv") is None


def test_a_table_says_what_no_test_could_find():
    rows = [row("tfidf", 0.03, 0.01, 0.05, 0.3125, p_wilcoxon_holm=0.5, **FEW)]
    table = differences(rows, "video", "cv")
    (shown,) = table.methods
    assert shown.cells[0].below == ".01–.05\np .31, minimum .31"
    assert shown.cells[-1].below == "accuracy\n4 of 5 higher\np .50, minimum .31"
    few = "with 5 participants and 5 methods, no p after Holm's correction can be below .31."
    assert f"in AVGF1 is unknown: {few}" in table.caption
    assert f"Wilcoxon's test cannot find a difference: {few}" in table.caption
    fewer = [row("tfidf", 0.03, 0.01, 0.05, 0.3125, **FEW | {"methods_in_wilcoxon_family": 4})]
    text = "find a difference: with 5 participants and 4 methods, no p after Holm's correction can be below .31."
    assert text in differences(fewer, "video", "cv").caption
    # one method that can be text apart is enough for a column to be read
    both = differences([*rows, row("cues", 0.02, 0.01, 0.05, 0.02, resamples=8000)], "video", "cv")
    assert "is unknown" not in both.caption
    assert "p of 1,400 to 8,000 resamples" in both.caption


def test_one_real_method_among_the_synthetic_is_found(texts_only, report_config, tmp_path):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    text = control_section(material, tmp_path)
    (video,) = [part for part in text.parts if part.heading == "Videos"]
    assert video.sentences[0].startswith(
        "Cross-validation: Fine-tuned encoder, words + question is above the content-free control by ."
    )
    assert "below the control with certainty" in video.sentences[0]
    assert any("two answers to the same question" in sentence for sentence in video.sentences)
    assert len(text.parts) == 1  # at the level of frames there are controls alone
    assert "answer the same questions, which are designed" in text.opening[0]
    assert "after question 1 (designed as neutral) 0 %" in text.opening[0]
    names = {path.stem for path in tmp_path.glob("*.svg")}
    assert names == {"asked", "beside", "decomposition-video", "within-video"}


def test_the_summary_takes_cross_validation_first_and_test_apart(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    ((level, text),) = summary(material)
    assert level == "Videos"
    assert text.startswith("Of 4 methods Fine-tuned encoder")
    assert "cross-validation over 18 participants" in text
    assert "This difference is certain" in text
    test = [{**one, "split": "test"} for one in material.scores if one["split"] == "cv"]
    both = dict(summary(replace(material, scores=[*material.scores, *test])))
    assert "On 18 test participants, who had no part in this choice" in both["Videos"]


def test_the_parts_of_a_score_add_up(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    found = decomposed_scores(material.decomposition, "video", "cv")
    assert [one.name for one in found][-1] == "Content-free control"
    for one in found[:-1]:
        steps = [step["gain"] for step in one.steps[1:]]
        assert one.steps[0]["value"] + sum(steps) == pytest.approx(one.last["value"])
    values = [one.last["value"] for one in found[:-1]]
    assert values == sorted(values, reverse=True)
    assert decomposed_scores(material.decomposition, "video", "test") == []


def test_inside_the_questions_names_the_control(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    rows = ranked_methods(material.scores, "video", "cv")
    found = gaps(material.comparisons, "video", "cv", "AUROC_within")
    best = next(gap for gap in found if gap.method == "encoder")
    sure, unsure = (replace(best, p=p) for p in (0.01, 0.2))
    text = inside(rows, [sure])
    assert "two answers to the same question" in text
    assert "Fine-tuned encoder" in text
    assert text.endswith("; the difference is certain.")
    assert inside(rows, [unsure]).endswith("; the difference may be chance.")
    few = replace(unsure, row={**unsure.row, **FEW})
    assert "is unknown: with 5 participants" in inside(rows, [few])
    assert inside([], []) == ""


def test_without_labels_there_is_no_rule_to_tell_of(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    assert "A/H after questions 3 and 4" in plainest(material)
    assert plainest(replace(material, packs=[], answers=[])) == ""


def test_published_scores_worked_out_from_others():
    assert derived_avgf1(0.0, 0.7148, prevalence("224", "frame")) == pytest.approx(0.4453, abs=2e-4)
    assert derived_avgf1(0.2737, 0.7396, prevalence("224", "frame")) == pytest.approx(0.5639, abs=2e-4)
    assert derived_avgf1(0.0, 0.5628, prevalence("224", "video")) is None


def test_synthetic_people_are_not_compared_with_published_scores(made, report_config, tmp_path):
    text = control_section(load(made.inputs, report_config, "demo", True), tmp_path)
    assert text.published is None
    assert text.rule == ""
    real = control_section(load(made.inputs, report_config, "bah300", False), tmp_path)
    assert "Oracle V, which uses the person's labels, .586 (2026 paper, Table 5, release of 300)" in real.rule
    assert "CAN V+A+T .578 (dataset paper, Table 7, release of 224, computed from F1 and WF1)" in real.rule


def test_the_method_next_to_the_papers_was_not_chosen_on_test(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    test = [{**one, "split": "test"} for one in material.scores if one["split"] == "cv"]
    best = {"method": "tfidf", "modalities": "T", "metric": "AVGF1"}
    test = [{**one, "value": 0.999} if best.items() <= one.items() else one for one in test]
    lines = published_and_own(replace(material, scores=[*material.scores, *test]), "video")
    assert lines[-1].name == "this run: Fine-tuned encoder, words + question"
    assert own_split(replace(material, scores=[*material.scores, *test]), "video") == "test"


def test_the_section_says_who_is_held_out_together(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "x", False)
    wanted = {"random": "people are held out at random", "numbers": "only those at the edges of a fold"}
    for folding, actual in wanted.items():
        said = _neighbours(replace(material, config=report_config.model_copy(update={"folding": folding})))
        assert [other in said for other in wanted.values()] == [other == actual for other in wanted.values()]
    without = replace(material, config=report_config.model_copy(update={"folds": 0}))
    assert "held out" not in _neighbours(without)
