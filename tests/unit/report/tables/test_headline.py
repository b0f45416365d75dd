"""The page's first table and its sentences: an honest choice of the method, and verdicts that follow from the rows."""

from dataclasses import replace

import pytest

from waver.report.data import load
from waver.report.ranking import select
from waver.report.tables.headline import VERDICTS, headline
from waver.report.text.summary import summary


def scored(method, value, split="test", level="frame", protocol="standard", people=40, sd=None, modalities=""):
    """Rows of the scores table of one method."""
    return [
        {"method": method, "modalities": modalities, "level": level, "split": split, "protocol": protocol,
         "group": "all", "metric": "AVGF1", "value": value, "low": value - 0.05, "high": value + 0.05,
         "seed_mean": value - 0.01, "seed_sd": sd, "n": 100, "participants": people, "positives": 20,
         "predicted_positives": 9, "seeds": 1, "model_set": "embedded"}
    ]  # fmt: skip


def compared(method, difference, low, high, p, split="test", level="frame", protocol="standard", people=40, least=0.01):
    """Rows of the comparisons table of one method with the content-free control."""
    return [
        {"method": method, "modalities": "", "reference": "content_free", "reference_modalities": "", "level": level,
         "split": split, "protocol": protocol, "metric": "AVGF1", "difference": difference, "low": low, "high": high,
         "p_holm": p, "least_p_holm": least, "resamples": 1000, "methods_in_family": 3, "participants": people,
         "n_participants": people}
    ]  # fmt: skip


@pytest.fixture
def material(made, report_config):
    empty = load(made.inputs, report_config, "demo", True)

    def of(scores, comparisons=()):
        return replace(empty, scores=list(scores), comparisons=list(comparisons))

    return of


def both(method, val, test, **about):
    return [*scored(method, val, "val", people=8, **about), *scored(method, test, **about)]


TWO = [*both("lfan", 0.7, 0.6), *both("can", 0.6, 0.9), *both("content_free", 0.5, 0.5), *both("oracle", 1.0, 1.0)]


def test_the_method_is_chosen_on_val_and_shown_on_test():
    found = select(TWO, "frame")
    assert (found.chosen.method, found.chosen_on, found.shown_on, found.candidates) == ("lfan", "val", "test", 2)
    assert (found.chosen.value("AVGF1"), found.shown.value("AVGF1")) == (0.7, 0.6)
    assert found.independent


def test_cross_validation_decides_before_val():
    crossed = [*scored("can", 0.65, "cv"), *scored("lfan", 0.64, "cv")]
    found = select([*TWO, *crossed], "frame")
    assert (found.chosen.method, found.chosen_on, found.shown.value("AVGF1")) == ("can", "cv", 0.9)
    assert select(crossed, "frame").shown_on == "cv"
    assert not select(crossed, "frame").independent


def test_a_control_or_a_method_with_the_persons_labels_is_never_chosen():
    assert select([*scored("content_free", 0.9), *scored("oracle", 0.9)], "frame") is None
    adapted = [*scored("source_only", 0.9, level="participant", protocol="block")]
    adapted += scored("shot", 0.4, level="participant", protocol="block")
    assert select(adapted, "participant", "block", ("source_only",)).chosen.method == "shot"


@pytest.mark.slow
def test_the_table_says_how_each_method_was_chosen(material):
    rows = [*TWO, *scored("tfidf", 0.6, level="video"), *scored("cues", 0.5, level="video")]
    for method in ("source_only", "shot", "content_free"):
        rows += scored(method, 0.5, level="participant", protocol="block")
    found = headline(material(rows))
    frames, videos, blocks = found.rows
    assert [row.level for row in found.rows] == ["Frames", "Videos", "Personalisation, blocks of time"]
    assert (frames.method, frames.score, frames.control[0]) == ("LFAN", (".600", ".55–.65"), ".500")
    assert frames.choice == "best of 2 by validation split"
    assert frames.sample == "test split, 40 participants"
    assert videos.choice == "best of 2 by this score"
    assert blocks.choice.startswith("best of 2 by this score")
    assert "highest AVGF1 on the validation split" in found.choice
    assert "flatters" in found.choice
    assert "flatters" not in headline(material(TWO)).choice


def verdict_of(material, own=0.6, control=0.5, people=40, comparison=None, constant=None):
    rows = scored("lfan", own, people=people)
    rows += scored("content_free", control, people=people) if control else []
    rows += scored("all_negative", constant) if constant else []
    found = headline(material(rows, compared("lfan", *comparison, people=people) if comparison else []))
    (verdict,) = (row.verdict for row in found.rows)
    assert [name for name, _ in found.verdicts] == [verdict]  # its meaning is on the page
    return verdict


def test_verdicts_follow_from_the_rows(material):
    above, below = (0.1, 0.02, 0.2, 0.01), (-0.1, -0.2, -0.02, 0.01)
    assert verdict_of(material, comparison=above) == "above control"
    assert verdict_of(material, comparison=below) == "below control"
    assert verdict_of(material, comparison=(0.1, -0.02, 0.2, 0.01)) == "not certain"
    assert verdict_of(material, comparison=(0.1, 0.02, 0.2, 0.2)) == "not certain"
    assert verdict_of(material) == "not certain"
    assert verdict_of(material, control=None) == "no control"
    assert verdict_of(material, comparison=above, constant=0.6) == "shows nothing"
    assert all(len(verdict.split()) == 2 for verdict in VERDICTS)


def test_few_people_give_no_other_verdict(material):
    above = (0.1, 0.02, 0.2, 0.01)
    assert verdict_of(material, comparison=above, people=9) == "few people"
    rows = [*scored("lfan", 0.6), *scored("content_free", 0.5)]
    unreachable = compared("lfan", *above, least=0.06)
    assert headline(material(rows, unreachable)).rows[0].verdict == "few people"


def test_a_run_without_scores_has_no_table(material):
    assert headline(material([])).rows == ()
    assert [text for _, text in summary(material([]))] == ["No method was scored."]


def sentences(material, rows, comparisons=()):
    return dict(summary(material(rows, comparisons)))


def test_the_sentences_have_every_number_of_the_table(material):
    comparisons = compared("lfan", 0.1, 0.02, 0.2, 0.01)
    text = sentences(material, TWO, comparisons)["Frames"]
    for part in ("Of 2 methods LFAN", "8 validation participants: .700 (95 % interval .65 to .75)",
                 "On 40 test participants, who had no part in this choice", ".600 (95 % interval .55 to .65)",
                 "content-free control", ".500", "is .100 above it", ".02 to .20, p .010 of 1,000 resamples",
                 "This difference is certain"):  # fmt: skip
        assert part in text, part
    assert "flatters" not in text


def test_the_sentences_say_what_weakens_a_score(material):
    few = [*scored("lfan", 0.6, people=9), *scored("can", 0.5, people=9), *scored("content_free", 0.5, people=9)]
    text = sentences(material, few)["Frames"]
    assert "chosen by this score, which flatters it" in text
    assert "too narrow" in text
    alone = sentences(material, [*scored("lfan", 0.6), *scored("content_free", 0.5)])["Frames"]
    assert "the only method" in alone
    assert "flatters" not in alone
    assert "too narrow" not in alone
    constant = [*scored("lfan", 0.6), *scored("content_free", 0.5), *scored("all_negative", 0.61)]
    assert "no less (all negative .610)" in sentences(material, constant)["Frames"]
    assert "no less" not in alone
    assert "no reference" in sentences(material, scored("lfan", 0.6))["Frames"]


def test_a_choice_in_cross_validation_is_compared_there_and_on_test(material):
    rows = [*TWO, *scored("can", 0.65, "cv"), *scored("content_free", 0.55, "cv")]
    comparisons = [*compared("can", 0.1, 0.01, 0.2, 0.02, "cv"), *compared("can", 0.4, 0.3, 0.5, 0.01)]
    text = sentences(material, rows, comparisons)["Frames"]
    chosen, tested = text.split("On 40 test participants, who had no part in this choice")
    assert "in cross-validation over 40 participants" in chosen
    assert "is .100 above it" in chosen
    assert "is .400 above it" in tested


def test_adaptation_is_compared_with_none_and_with_the_control(material):
    where = {"level": "participant", "protocol": "block", "people": 9}
    rows = [*scored("source_only", 0.45, **where), *scored("shot", 0.46, sd=0.014, **where)]
    text = sentences(material, rows)["Personalisation, blocks of time"]
    for part in ("SHOT", "9 participants of .460 (95 % interval .41 to .51; single seeds, mean ± sd: .450 ± .014)",
                 "against .450 without adaptation"):  # fmt: skip
        assert part in text, part
    assert "control" not in text
    rows += [*scored("content_free", 0.53, **where), *scored("oracle", 0.9, **where)]
    gap = compared("shot", -0.07, -0.2, 0.06, 1.0, level="participant", protocol="block")
    text = sentences(material, rows, gap)["Personalisation, blocks of time"]
    assert ".530 for the content-free control" in text
    assert "(difference to the control −.070, 95 % interval −.20 to .06)" in text
    assert "Oracle" not in text
    several = sentences(material, [*rows, *scored("nrc", 0.4, **where)])["Personalisation, blocks of time"]
    assert "Of 2 adaptation methods SHOT, chosen by this score," in several


def test_a_network_as_it_was_is_shown_where_it_is_best(material):
    where = {"level": "participant", "protocol": "block"}
    rows = [*scored("source_only", 0.55, **where), *scored("shot", 0.46, **where), *scored("oracle", 0.9, **where)]
    (row,) = headline(material(rows)).rows
    assert (row.method, row.score[0]) == ("Source only", ".550")
    assert row.choice == "best of 2 by this score; the best adapted: SHOT, .460"
    ((_, text),) = summary(material(rows))
    assert text.endswith("No adapted network scores more than Source only, which is not adapted: .550.")

    better = [*scored("source_only", 0.45, **where), *rows[1:]]
    (row,) = headline(material(better)).rows
    assert (row.method, row.choice) == ("SHOT", "best of 2 by this score")
    assert "No adapted network" not in dict(summary(material(better)))["Personalisation, blocks of time"]
    assert not headline(material(scored("source_only", 0.5, **where))).rows
