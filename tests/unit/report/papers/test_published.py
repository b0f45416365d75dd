import pytest

from waver.evaluation.prevalence import constant_score
from waver.report.papers.published import constant_mark, impossible, near_one_class, prevalence, published


def cells(level, table, paper):
    found = [t for t in published(level) if (t.table, t.paper) == (table, paper)]
    return {(m, s, c.metric): c for t in found for m, _, s, row in t.rows for c in row if c}


def test_constant_scores_are_those_of_the_test_sets():
    frame, video = prevalence("300", "frame"), prevalence("300", "video")
    assert constant_score("AVGF1", frame, False) == pytest.approx(0.4456, abs=5e-5)
    assert constant_score("WF1", frame, False) == pytest.approx(0.7163, abs=5e-5)
    assert constant_score("AVGF1", frame, True) == pytest.approx(0.1640, abs=5e-5)
    assert constant_score("AVGF1", video, False) == pytest.approx(0.2828, abs=5e-5)
    assert constant_score("AVGF1", video, True) == pytest.approx(0.3772, abs=5e-5)
    assert constant_score("WAR", video, True) == pytest.approx(0.6057, abs=5e-5)
    assert constant_score("WF1", prevalence("224", "frame"), False) == pytest.approx(0.7148, abs=5e-5)
    assert constant_score("WF1", prevalence("224", "video"), False) == pytest.approx(0.2191, abs=5e-5)
    assert constant_score("WF1", prevalence("224", "video"), True) == pytest.approx(0.4619, abs=5e-5)
    assert constant_score("AP", 0.2, True) is None


def test_published_constants_are_marked():
    video = cells("video", "Table 7", "2026 paper")
    assert video["Video-LLaVA", "simple, zero-shot", "AVGF1"].mark == "all-negative"
    assert video["Video-LLaVA", "definition 2, zero-shot", "AVGF1"].mark == "all-positive"
    assert video["AffectGPT", "definition 1, zero-shot", "AVGF1"].mark == "all-positive"
    assert video["Video-LLaVA", "transcript + definition 1, fine-tuned", "AVGF1"].mark == ""
    frame = cells("frame", "Table 7", "2026 paper")
    assert [c.value for c in frame.values() if c.mark] == [0.4456]
    older = cells("frame", "Table 19", "dataset paper")
    assert older["Video-LLaVA", "simple", "WF1"].mark == older["Video-LLaVA", "simple", "F1"].mark == "all-negative"
    older = cells("video", "Table 21", "dataset paper")
    assert (older["Video-LLaVA", "simple", "WF1"].value, older["Video-LLaVA", "simple", "WF1"].mark) == (
        0.2191,
        "all-negative",
    )
    assert older["Video-LLaVA", "definition 2", "WF1"].mark == "all-positive"


def test_what_only_resembles_a_constant_is_not_marked():
    # .4448 is near the all-negative AVGF1 of frames, but these are videos
    appendix = cells("video", "appendix", "dataset paper, version of 2026")
    assert appendix["MT", "", "AVGF1"].value == appendix["JMT", "", "AVGF1"].value == 0.4448
    assert not any(c.mark for c in appendix.values())
    # WF1 .7149 equals all-negative to the digit, F1 .2486 says it is not
    assert constant_mark({"F1": 0.2486, "WF1": 0.7149}, prevalence("224", "frame")) == ""
    assert not any(c.mark for c in cells("frame", "Table 6", "dataset paper").values())
    assert not any(c.mark for c in cells("participant", "Table 5", "2026 paper").values())


def test_remarks_follow_from_the_numbers():
    assert impossible(0.0, 0.5628, prevalence("224", "video"))
    assert not impossible(0.0, 0.2191, prevalence("224", "video"))
    by_name = {(t.paper, t.table): t.remarks for t in (*published("video"), *published("participant"))}
    assert "(10 of 12 rows)" in by_name["dataset paper", "Table 15"][0]
    assert "(4 of 10 rows)" in by_name["dataset paper, version of 2026", "appendix"][0]
    assert "(8 of 14 rows)" in by_name["2026 paper", "Table 5"][0]
    assert near_one_class(0.3970, 0.6568)
    assert not near_one_class(0.5864, 0.8)


def test_best_published_frame_scores():
    values = [c for t in published("frame") if t.release == "300" for *_, row in t.rows for c in row if c]
    assert max(c.value for c in values if c.metric == "AVGF1") == 0.5586
    assert max(c.value for c in values if c.metric == "AP_paper") == 0.2631
