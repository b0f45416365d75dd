import json
from dataclasses import replace

import pytest

from waver.report.costs import costs
from waver.report.inputs import load
from waver.report.summary import summary
from waver.report.timeline import choose
from waver.report.wording import count, interval, listed, method_name, score, share, signed, span


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
        "−.02–.03",
        ".61 to .67",
        "",
    )
    assert (count(335110), share(1, 8), share(0, 0)) == ("335,110", "12.5 %", "–")
    assert [span(s) for s in (2.13, 41.2, 720, 12240)] == ["2.1 s", "41 s", "12 min", "3.4 h"]
    assert (method_name("lfan", "AT"), method_name("content_free"), listed(["a", "b", "c"])) == (
        "LFAN A+T", "Content-free control", "a, b and c",
    )  # fmt: skip


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


def scored(method, value, difference=None, level="frame"):
    base = {"modalities": "", "level": level, "split": "test", "protocol": "standard", "group": "all", "n": 100,
            "participants": 9, "positives": 20, "predicted_positives": 9, "seeds": 1, "model_set": ""}  # fmt: skip
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
    sentences = summary(replace(material, scores=rows))
    assert "9 test participants, LFAN comes first" in sentences[0]
    assert says in sentences[1]


def test_summary_without_control_or_scores(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    assert "cannot be judged" in summary(replace(material, scores=scored("lfan", 0.7)))[1]
    assert summary(replace(material, scores=[])) == ["No method was scored on the test split."]


def test_the_timeline_prefers_a_consenting_persons_video_with_faces(made, report_config, gate_of):
    material = load(made.inputs, report_config, "demo", True)
    row, _ = choose(material, gate_of(material))
    assert row["split"] == "test"
    assert row["participant"] not in ("82017", "82019", "82022")
    assert row["video"] != "82020_Q3"  # no face was found there
    assert 0.05 < row["positive_frames"] / row["frames"] < 0.8
