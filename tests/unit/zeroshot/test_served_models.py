"""Models behind a server: what is sent and to whom, and how answers become scores."""

import base64
import logging
import math
import os
import socket
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from chat_stub import said
from checkout import ROOT
from waver.errors import WaverError
from waver.records import load
from waver.registry import ZERO_SHOT_MODELS
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Capabilities, Item, Prompt
from waver.zeroshot.families.openai import OpenAi, OpenAiConfig
from waver.zeroshot.served.client import ChatClient, Question
from waver.zeroshot.served.first_word import first_word
from waver.zeroshot.served.settings import ServerSettings

ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
TOP = [("Amb", -0.25), (" Non", -2.0), ("The", -2.5), ("amb", -3.0), ("I", -6.0)]


def settings(server, **options):
    return ServerSettings(base_url=server.url, **{"backoff_s": 0.01, "timeout_s": 5, **options})


def asked(server, **options):
    config = OpenAiConfig(base_url=server.url, **{"backoff_s": 0.01, "timeout_s": 5, **options})
    return OpenAi.load(None, config, "auto")


PROMPTS = [[Prompt("Classify.", "Classify.")]]


# scores -----------------------------------------------------------------------------------------------------
def test_first_word_adds_the_ways_to_write_an_answer():
    found = first_word(TOP, "Ambivalent", "Non-Ambivalent")
    assert found.positive == pytest.approx(math.log(math.exp(-0.25) + math.exp(-3)))
    assert (found.negative, found.bounded) == (-2.0, False)


def test_an_answer_that_is_not_told_has_the_smallest_told_probability_at_most():
    found = first_word([("Amb", -0.1), ("The", -4.0), ("I", -9.0)], "Ambivalent", "Non-Ambivalent")
    assert (found.positive, found.negative, found.bounded) == (-0.1, -9.0, True)
    assert first_word([("The", -0.1)], "Ambivalent", "Non-Ambivalent") is None
    # "A" begins both
    assert first_word([("A", -0.1), ("B", -1.0)], "AB", "Ac") is None


def test_scores_come_from_the_first_word(serve):
    quote = ('"', [('"', -0.1)])
    server = serve(lambda *_: (200, said('"Ambivalent"', quote, ("Amb", TOP))))
    model = asked(server, model="a-model")
    scored = model.score([Item()], PROMPTS, ANSWERS, "first_token")[0][0]
    expected = first_word(TOP, "Ambivalent", "Non-Ambivalent")
    assert scored == (expected.negative, expected.positive, 77, True)
    assert server.asked[0]["logprobs"] is True
    assert server.asked[0]["top_logprobs"] == 20
    assert server.asked[0]["temperature"] == 0
    assert model.describe()["architecture"] == "a-model"


def test_a_server_that_rejects_probabilities_is_asked_without(serve, caplog):
    def answer(_, body):
        return (400, {"error": "logprobs is not supported"}) if "logprobs" in body else (200, said("**Ambivalent**."))

    server = serve(answer)
    model = asked(server)
    with caplog.at_level(logging.WARNING):
        found = model.score([Item()] * 2, PROMPTS * 2, ANSWERS, "first_token")
    assert all(own[0].margin > 5 for own in found)
    assert all(own[0].mass is None for own in found)  # nothing is known of it
    model.score([Item()], PROMPTS, ANSWERS, "first_token")
    assert "logprobs" not in server.asked[-1]
    assert model.describe()["written_answers"] == 3
    assert caplog.text.count("tells no probabilities") == 1


@pytest.mark.parametrize("unknown", ["chat_template_kwargs", "logprobs", "neither"])
def test_a_model_is_asked_not_to_think_and_without_what_its_server_rejects(serve, unknown):
    server = serve(lambda _, body: (422, b"") if unknown in body else (200, said("Ambivalent", ("Amb", TOP))))
    model = asked(server)
    model.score([Item()] * 2, PROMPTS * 2, ANSWERS, "first_token")
    last = server.asked[-1]
    assert ("chat_template_kwargs" in last, "logprobs" in last) == (
        unknown != "chat_template_kwargs",
        unknown != "logprobs",
    )
    if unknown != "chat_template_kwargs":
        assert last["chat_template_kwargs"] == {"enable_thinking": False}


def test_an_answer_that_is_neither_is_undecided(serve):
    server = serve(lambda *_: (200, said("I cannot tell.")))
    scored = asked(server).score([Item()], PROMPTS, ANSWERS, "first_token")[0][0]
    assert scored.margin == 0
    assert scored.mass is None


# what is sent -----------------------------------------------------------------------------------------------
def test_pictures_go_before_the_text_as_small_jpegs(serve):
    server = serve(lambda *_: (200, said("Ambivalent")))
    frames = np.zeros((3, 60, 100, 3), np.uint8)
    frames[..., 0] = 255
    asked(server, picture_side=50, system="Be brief.").generate([Item(frames)], PROMPTS, 7)
    system, user = server.asked[0]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    *pictures, text = user["content"]
    assert text == {"type": "text", "text": "Classify."}
    assert len(pictures) == 3
    kind, data = pictures[0]["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (30, 50, 3)
    assert decoded[5, 5, 2] > 240
    assert server.asked[0]["max_tokens"] == 7


def test_one_of_two_answers_is_asked_for_where_only_they_count(serve):
    server = serve(lambda *_: (200, said("Ambivalent")))
    asked(server).generate([Item()], PROMPTS, 7, ANSWERS)
    assert server.asked[0]["structured_outputs"] == {"choice": ["Non-Ambivalent", "Ambivalent"]}


def test_replies_keep_the_order_and_only_so_many_are_asked_at_once(serve):
    def answer(_, body):
        threading.Event().wait(0.02)
        return 200, said(body["messages"][0]["content"])

    server = serve(answer)
    texts = [str(number) for number in range(12)]
    replies = ChatClient(settings(server, max_concurrency=3)).ask_all([Question(text) for text in texts])
    assert [reply.text for reply in replies] == texts
    assert 1 < server.most <= 3


def test_a_text_model_is_sent_no_pictures_whatever_is_known_of_a_recording():
    family, record = load(ZERO_SHOT_MODELS, "openai_text"), ZERO_SHOT_MODELS["openai_text"]
    assert (record.inputs, record.local) == ("text", False)
    assert family.capabilities == Capabilities()
    assert load(ZERO_SHOT_MODELS, "openai").capabilities == Capabilities(video=True)


# trouble ----------------------------------------------------------------------------------------------------
def test_a_busy_server_is_asked_again(serve):
    server = serve(lambda number, _: (503, b"") if number < 3 else (200, said("ok")))
    assert ChatClient(settings(server)).ask(Question("x")).text == "ok"
    assert len(server.asked) == 3


def test_a_server_that_stays_busy_is_given_up(serve):
    server = serve(lambda *_: (429, b"", {"Retry-After": "0.01"}))
    with pytest.raises(WaverError, match="answers with status 429; look into its log"):
        ChatClient(settings(server, retries=2)).ask(Question("x"))
    assert len(server.asked) == 3


def test_a_server_that_hangs_or_is_absent_is_told(serve):
    def hang(number, _):
        threading.Event().wait(0.3)
        return 200, said("late")

    with pytest.raises(WaverError, match=r"does not answer after 2 attempts \(TimeoutError\)"):
        ChatClient(settings(serve(hang), timeout_s=0.05, retries=1)).ask(Question("x"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = ServerSettings(base_url=f"http://127.0.0.1:{port}/v1", retries=0)
    with pytest.raises(WaverError, match=r"1 attempts \(ConnectionRefusedError\); start it"):
        ChatClient(nobody).ask(Question("x"))


@pytest.mark.parametrize(
    ("status", "record", "told"),
    [
        (401, {}, "status 401; put a key that it takes into WAVER_TEST_KEY"),
        (404, {}, "correct base_url, or the model 'default'"),
        (413, {}, "fewer or smaller pictures"),
        (302, {}, "a redirection, which is not followed"),
        (200, b"<html>", "not OpenAI's chat protocol"),
        (200, {"choices": []}, "not OpenAI's chat protocol"),
        (200, [], "not OpenAI's chat protocol"),
    ],
)
def test_other_answers_are_told_without_what_was_said(serve, monkeypatch, status, record, told):
    monkeypatch.setenv("WAVER_TEST_KEY", "a secret")
    server = serve(lambda *_: (status, record, {"Location": "http://192.0.2.1/"}))
    client = ChatClient(settings(server, api_key_env="WAVER_TEST_KEY"))
    with pytest.raises(WaverError, match=told) as caught:
        client.ask(Question("what the participant said"))
    assert "participant" not in str(caught.value)
    assert "a secret" not in str(caught.value)
    assert server.headers[0]["Authorization"] == "Bearer a secret"


# where to ---------------------------------------------------------------------------------------------------
REMOTE = {"base_url": "https://models.example.org/v1"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (REMOTE, "names models.example.org, another computer, and recordings of participants stay on this one"),
        (REMOTE | {"allow_remote": True}, "another computer"),
        (REMOTE | {"allowed_hosts": ("models.example.org",)}, "another computer"),
        (REMOTE | {"allow_remote": True, "allowed_hosts": ("example.org",)}, "another computer"),
        ({"base_url": "http://10.0.0.7:8000/v1"}, "another computer"),
        ({"base_url": "http://127.0.0.1.example.org/v1"}, "another computer"),
        ({"base_url": "ftp://127.0.0.1/v1"}, r"give http\(s\)://host:port/v1"),
        ({"base_url": "http://user:key@127.0.0.1/v1"}, "without a key in it"),
        ({"api_key_env": "WAVER_NO_SUCH_KEY"}, "names WAVER_NO_SUCH_KEY, which is not in the environment"),
    ],
)
def test_recordings_stay_here_by_default(options, told):
    with pytest.raises(WaverError, match=told):
        ChatClient(ServerSettings(**options))


def test_an_allowed_host_may_be_asked():
    ChatClient(ServerSettings(**REMOTE, allow_remote=True, allowed_hosts=("Models.Example.org",)))


IN_A_JOB = """
import waver.workflow.job
from waver.errors import WaverError
from waver.workflow import environment
from waver.zeroshot.served.client import ChatClient, Question
from waver.zeroshot.served.settings import ServerSettings
import socket
print(ChatClient(ServerSettings(base_url=URL, retries=0)).ask(Question("x")).text)
# the name of a host that is allowed is looked up, and no other
there = ServerSettings(base_url="http://models.invalid/v1", allow_remote=True, allowed_hosts=("models.invalid",))
try:
    ChatClient(there.model_copy(update={"retries": 0})).ask(Question("x"))
except WaverError as error:
    assert "models.invalid is not found" in str(error) and "jobs use no network" not in str(error), error
else:
    raise SystemExit("a host that is nowhere was found")
for ask in (lambda: socket.gethostbyname("other.invalid"), lambda: socket.create_connection(("192.0.2.1", 80), 1)):
    try:
        ask()
    except ConnectionRefusedError:
        continue
    raise SystemExit("not refused")
environment.allow_host("192.0.2.1")
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.1)
except OSError as error:
    assert "jobs use no network" not in str(error), error
"""


@pytest.mark.slow
def test_a_job_reaches_its_own_server_and_an_allowed_host_alone(serve):
    server = serve(lambda *_: (200, said("reached")))
    proxies = {"http_proxy": "http://192.0.2.9:1", "HTTP_PROXY": "http://192.0.2.9:1"}
    environment = os.environ | proxies | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", IN_A_JOB.replace("URL", repr(server.url))]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout == "reached\n"
