"""Prompts that ask for a letter: asked with the options in both orders, and one answer of both."""

import pytest

from chat_stub import said
from waver.config.zeroshot import ZeroShotConfig
from waver.errors import WaverError
from waver.io.tables import ANSWERS, PREDICTIONS, PROMPT_ANSWERS, read_metadata, read_table, write_table
from waver.zeroshot.items import Sources
from waver.zeroshot.predictions import predict_answers
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.runner import ask_shard

SET = read_prompts("choices")
TAB = {"tab": {**SET.prompts["tab"].model_dump(), "answers": SET.answers_of("tab").model_dump()}}
AMBIVALENT = "The person is ambivalent."


def first_letter(_, body):
    """A server that says A whatever A is."""
    return 200, said("A", ("A", [("A", -0.1), ("B", -2.5)]))


def torn(_, body):
    """A server that finds everybody ambivalent, a little more readily as A."""
    a = f"A. {AMBIVALENT}" in body["messages"][0]["content"]
    return 200, said("AB"[not a], ("AB"[not a], [("A", -0.1 if a else -1.5), ("B", -2.5 if a else -0.5)]))


def silent_once(_, body):
    """A server that says A whatever A is, and of one person now and then nothing."""
    silent = "82001" in body["messages"][0]["content"] and f"A. {AMBIVALENT}" in body["messages"][0]["content"]
    return 200, said("I cannot tell." if silent else "A", ("A", [("A", -0.1), ("B", -2.5)]))


@pytest.fixture
def run(serve, tmp_path):
    plain = {field.name: "" if str(field.type) == "string" else 0 for field in ANSWERS}
    people = [
        {"video": f"8200{n}_Q1", "participant": f"8200{n}", "split": "val", "text": f"8200{n}: so, {{options}}"}
        for n in (1, 2)
    ]
    write_table(tmp_path / "answers.parquet", [plain | row for row in people], ANSWERS)

    def predicted(answer, **config):
        server = serve(answer)
        settings = ZeroShotConfig(options={"openai_text": {"base_url": server.url}}, **config)
        requested, output = tmp_path / f"{server.url[-8:-3]}.parquet", {"none_predictions": tmp_path / "none.parquet"}
        ask_shard(
            Sources(tmp_path / "answers.parquet"), None, "openai_text", "video", TAB, settings, False, "", requested
        )
        known = {"family": "openai", "prompt_set": "choices", "prompt": "tab", "label": "x", "prompt_sha256": "0"}
        record, policy = {"modalities": "T"}, (settings.unparsable, 1)
        predict_answers([requested], [], "openai_text", "video", "tab", None, policy, output, known, record)
        rows, about = read_table(tmp_path / "none.parquet", PREDICTIONS), read_metadata(tmp_path / "none.parquet")
        return server, read_table(requested, PROMPT_ANSWERS), rows, about["zeroshot"]

    return predicted


def test_a_prompt_has_two_orders_with_their_letters():
    (first, one), (second, other) = SET.prompts["tab"].orders()
    assert f"A. {AMBIVALENT}\nB. The person is not ambivalent.\nAnswer" in first.text
    assert f"A. The person is not ambivalent.\nB. {AMBIVALENT}\nAnswer" in second.text
    assert (one.positive, one.negative, other.positive, other.negative) == ("A", "B", "B", "A")
    assert SET.prompts["tab"].slots == ("transcript",)
    assert len(SET.prompts["tyn"].orders()) == 1


def test_the_liking_of_a_letter_cancels_out(run):
    server, requested, rows, about = run(first_letter)
    assert len(server.asked) == len(requested) == about["calls"] == 4
    assert all("so, {options}" in body["messages"][0]["content"] for body in server.asked)  # as it was said
    assert sorted(row["positive"] - row["negative"] for row in requested) == pytest.approx([-2.4, -2.4, 2.4, 2.4])
    assert [row["margin"] for row in rows] == pytest.approx([0, 0])
    assert about["tokens_per_call"] == 77
    assert (about["unparsable"], about["order_disagreement"]) == (None, 1)


def test_what_is_said_in_both_orders_counts(run):
    *_, rows, about = run(torn)
    assert [row["margin"] for row in rows] == pytest.approx([(2.4 + 1.0) / 2] * 2)
    assert about["calls"] == 4
    assert about["order_disagreement"] == 0


def test_a_written_letter_counts_where_both_orders_agree(run):
    *_, rows, about = run(torn, decoding="generate", unparsable="drop")
    assert ([row["margin"] > 0 for row in rows], about["unparsable"]) == ([True, True], 0)
    with pytest.raises(WaverError, match=r"2 of 2 answers .* or differ with the order of a prompt's options"):
        run(first_letter, decoding="generate", unparsable="drop")


@pytest.mark.parametrize(("answer", "neither", "differing"), [(first_letter, 0, 1), (silent_once, 0.5, 0.5)])
def test_answers_that_are_neither_and_answers_that_differ_are_two_shares(run, answer, neither, differing):
    *_, about = run(answer, decoding="generate", unparsable="score")
    assert (about["unparsable"], about["order_disagreement"]) == (neither, differing)


def test_answers_that_differ_are_counted_apart_from_those_that_are_neither(run):
    with pytest.raises(WaverError, match=r"2 of 2 answers are neither .* a prompt's options \(1 of them\)"):
        run(silent_once, decoding="generate", unparsable="drop")


OWN = """
answers: {positive: "Yes", negative: "No"}
prompts: {mine: {label: mine, text: "Well? {options}", options: {positive: torn, negative: calm}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{options}", "", "options and {options} in the text go together"),
        (", options: {positive: torn, negative: calm}", "", "options and {options} in the text go together"),
        ("label: mine", 'label: mine, answers: {positive: "A", negative: "B"}', "take its answers out"),
        ("torn", '"{transcript}"', "an option holds {transcript}"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, old, new, told):
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    read_prompts(str(path))
    path.write_text(OWN.replace(old, new))
    with pytest.raises(WaverError, match=r"mine\.yaml") as refused:
        read_prompts(str(path))
    assert told in str(refused.value)
