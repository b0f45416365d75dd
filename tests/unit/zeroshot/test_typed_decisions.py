"""Servers that decide between two answers: what is sent, what is made of it, and servers that do not."""

import math

import pytest
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.pipelines import DecisionPipeline

from chat_stub import said
from waver.errors import ExcludedItem, WaverError
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.openai import OpenAi, OpenAiConfig, OpenAiText
from waver.zeroshot.tiny import byte_tokenizer

ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
CHAT = "{% for turn in messages %}{{ turn['content'] }}\n{% endfor %}"
WORDS = "words of 82002"


def asked(server, *texts, answers=ANSWERS):
    options = {"backoff_s": 0.01, "timeout_s": 5, "retries": 2, "decisions": True, "max_concurrency": 1}
    model = OpenAiText.load(None, OpenAiConfig(base_url=server.url, **options), "auto")
    return model, model.score([Item()], [[Prompt(text, "") for text in texts]], answers, "first_token")[0]


def decided(one, other, **more):
    """An answer: the probability of the positive option in both orders."""
    pairs = {"one": one, "other": other}
    answers = {
        name: {"type": "choice", "probabilities": {"Ambivalent": value, "Non-Ambivalent": 1 - value}, **more}
        for name, value in pairs.items()
    }
    return {"answers": answers, "usage": {"input_tokens": 120, "output_tokens": 2}}


def test_both_orders_are_asked_and_a_letter_that_is_liked_cancels_out(serve):
    server = serve(lambda *_: (200, decided(0.9, 0.1)))
    model, (scored,) = asked(server, "Video transcript: well. Classify.")
    assert server.paths == ["/v1/systemone"]
    assert server.asked[0]["state"] == "Video transcript: well. Classify."
    orders = [[*question["criteria"]] for question in server.asked[0]["questions"].values()]
    assert orders == [["Ambivalent", "Non-Ambivalent"], ["Non-Ambivalent", "Ambivalent"]]
    assert (scored.margin, scored.tokens, scored.mass) == (pytest.approx(0), 120, None)
    assert model.describe()["typed_decisions"] == 1


@pytest.mark.parametrize("where", ["diagnostics", "x_label_mass"])
def test_what_the_letters_weigh_is_the_label_mass(serve, where):
    record = decided(0.8, 0.8)
    if where == "diagnostics":
        record["diagnostics"] = {name: {"label_mass": 0.5} for name in ("one", "other")}
    else:
        record = decided(0.8, 0.8, x_label_mass=0.5)
    _, (scored,) = asked(serve(lambda *_: (200, record)), "so")
    assert scored.mass == pytest.approx(0.5)
    assert scored.margin == pytest.approx(math.log(4))


def test_an_impossible_option_has_a_margin_all_the_same(serve):
    _, (scored,) = asked(serve(lambda *_: (200, decided(1.0, 1.0))), "so")
    assert 10 < scored.margin < 30


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501])
def test_a_server_that_makes_none_is_asked_by_chat_and_once_for_a_decision(serve, status, caplog):
    chat = 200, said("Ambivalent", ("Amb", [("Amb", -0.25), ("Non", -2.0)]))
    server = serve(lambda _, body: (status, b"") if "state" in body else chat)
    _, scores = asked(server, "one", "two", "three")
    assert [one.margin for one in scores] == pytest.approx([1.75] * 3)
    assert server.paths == ["/v1/systemone", *["/v1/chat/completions"] * 3]
    assert caplog.text.count("makes no typed decisions") == 1


def test_letters_are_asked_by_chat(serve):
    server = serve(lambda *_: (200, said("A", ("A", [("A", -0.1), ("B", -2.5)]))))
    asked(server, "so", answers=Answers(positive="A", negative="B"))
    assert server.paths == ["/v1/chat/completions"]


HALVES = decided(0.5, 0.5)
BROKEN = {
    "empty": {},
    "a list": {"answers": []},
    "no number": decided(float("nan"), 0.5),
    "negative": decided(-0.5, 0.5),
    "one order": {"answers": {"one": HALVES["answers"]["one"]}},
}


@pytest.mark.parametrize("record", BROKEN.values(), ids=BROKEN)
def test_another_form_is_told(serve, record):
    with pytest.raises(WaverError, match="no typed decision; set decisions to false") as caught:
        asked(serve(lambda *_: (200, record)), WORDS)
    assert WORDS not in str(caught.value)


def test_one_refused_item_is_left_out(serve):
    def answer(_, body):
        if "state" not in body:
            return 200, said("yes")
        return (400, b"") if WORDS in body["state"] else (200, decided(0.7, 0.7))

    with pytest.raises(ExcludedItem, match="does not answer this question"):
        asked(serve(answer), "one", WORDS)


def test_pictures_are_not_decided_about():
    with pytest.raises(WaverError, match="about words alone; set decisions to false, or ask openai_text"):
        OpenAi(OpenAiConfig(decisions=True))


def test_the_librarys_own_pipeline_decides_what_is_sent(serve):
    """What ``transformers serve`` runs below its endpoint."""
    tokenizer = byte_tokenizer([])
    tokenizer.chat_template = CHAT
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **size, eos_token_id=2, pad_token_id=0)).eval()
    pipe = DecisionPipeline(model=network, tokenizer=tokenizer)

    def answer(_, body):
        request = {name: body[name] for name in ("state", "questions")}
        return 200, {"answers": pipe.postprocess(pipe.forward(pipe.preprocess({**request, "assets": {}})))}

    _, (scored,) = asked(serve(answer), "Video transcript: well. Classify.")
    assert abs(scored.margin) < 1
    assert scored.mass is None
