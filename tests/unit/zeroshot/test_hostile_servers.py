"""Servers that answer what no server should, and servers that are away for a while."""

import contextlib
import json
import threading
import time

import pytest

from chat_stub import said
from waver.errors import ExcludedItem, WaverError
from waver.zeroshot.served import client, reply
from waver.zeroshot.served.client import ChatClient, Question
from waver.zeroshot.served.settings import ServerSettings

FINE = 200, said("Ambivalent", ("Amb", [("Amb", -0.25), ("Non", -2.0)]))
WORDS = "words of 82002"


def record(**changes):
    known = said("Ambivalent", ("Amb", [("Amb", -0.25)]))
    known["choices"][0].update(changes.pop("choice", {}))
    return known | changes


def asked(server, **options):
    return ChatClient(
        ServerSettings(base_url=server.url, **{"backoff_s": 0.01, "timeout_s": 2, "retries": 2, **options})
    )


BROKEN = {
    "empty": b"",
    "latin-1": '{"choices": "é"}'.encode("latin-1"),
    "deep": b"[" * 200_000,
    "event stream": b'data: {"choices": [{"delta": {"content": "Amb"}}]}\n\ndata: [DONE]\n\n',
    "a list as content": json.dumps(record(choice={"message": {"content": [{"text": WORDS}]}})).encode(),
    "no number": json.dumps(said("A", ("A", [("A", float("nan"))]))).encode(),
    "more than certain": json.dumps(said("A", ("A", [("A", 3.0)]))).encode(),
    "infinitely many tokens": json.dumps(record(usage={"prompt_tokens": float("inf")})).encode(),
    "too many tokens": json.dumps(record(usage={"prompt_tokens": 2**40})).encode(),
    "fewer than no tokens": json.dumps(record(usage={"prompt_tokens": -1})).encode(),
    "ten megabytes": b'{"choices": [{"message": {"content": "' + b"a" * 10_000_000 + b'"}}]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_an_answer_in_another_form_is_told_without_what_is_in_it(serve, content):
    with pytest.raises(WaverError, match="in a form that is not OpenAI's chat protocol") as caught:
        asked(serve(lambda *_: (200, content))).ask(Question("so"))
    assert not isinstance(caught.value, ExcludedItem)
    assert WORDS not in str(caught.value)


def test_tokens_that_cannot_be_are_dropped_and_half_a_character_is_written(serve):
    least = said("\ud83d Ambivalent", ("Amb", [("Amb", -0.25), ("Non", float("-inf"))]))
    found = asked(serve(lambda *_: (200, json.dumps(least).encode()))).ask(Question("so"))
    assert found.alternatives == (("Amb", -0.25),)
    assert found.text.encode().endswith(b"Ambivalent")


def test_an_answer_is_asked_for_in_one_piece(serve):
    server = serve(lambda *_: FINE)
    asked(server).ask(Question("so"))
    assert server.asked[0]["stream"] is False


def test_a_server_that_trickles_is_given_up(serve, monkeypatch):
    """Each byte comes in time, and the answer never."""
    server = serve(lambda *_: FINE)

    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                handler.wfile.write(b" ")
                threading.Event().wait(0.02)

    monkeypatch.setattr(server.RequestHandlerClass, "do_POST", trickle)
    began = time.monotonic()
    with pytest.raises(WaverError, match=r"does not answer after 1 attempts \(TimeoutError\)"):
        asked(server, timeout_s=0.2, retries=0).ask(Question("so"))
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(("header", "least"), [("0.02", 0.02), ("-5", 0), ("nan", 0), ("soon", 0), ("inf", 60)])
def test_a_wait_is_as_long_as_the_server_says_within_a_minute(serve, monkeypatch, header, least):
    waited = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    server = serve(lambda number, _: (429, b"", {"Retry-After": header}) if number == 1 else FINE)
    asked(server, backoff_s=0).ask(Question("so"))
    assert waited == [least]


def test_a_date_to_wait_for_is_understood():
    assert 50 < reply.seconds_to_wait(reply.email.utils.formatdate(time.time() + 55, usegmt=True)) <= 56
    assert reply.seconds_to_wait("Thu, 01 Jan 1970 00:00:00 GMT") == 0


MAINTENANCE = {"page": (200, b"<html>"), "not found": (404, b""), "forbidden": (403, b""), "bad request": (400, b"")}


@pytest.mark.parametrize("away", MAINTENANCE.values(), ids=MAINTENANCE)
@pytest.mark.parametrize("requests", [1, 3])
def test_a_server_that_is_away_for_a_while_loses_no_item(serve, away, requests):
    """A proxy may answer in its place; once it is back, the same question is asked again."""
    gone = range(2, 2 + requests)
    server = serve(lambda number, _: away if number in gone else FINE)
    model = asked(server, max_concurrency=1, retries=6)
    assert [found.text for found in model.ask_all([Question("one"), Question("two")])] == ["Ambivalent"] * 2


def test_a_server_that_does_not_come_back_ends_the_job(serve):
    server = serve(lambda number, _: FINE if number == 1 else (404, b""))
    model = asked(server, max_concurrency=1)
    with pytest.raises(WaverError, match="answers with status 404") as caught:
        model.ask_all([Question("one"), Question("two")])
    assert not isinstance(caught.value, ExcludedItem)


def test_a_refused_question_is_left_out_when_it_is_refused_twice(serve):
    server = serve(lambda _, body: (400, b"") if WORDS in json.dumps(body) else FINE)
    model = asked(server)
    model.ask(Question("so"))
    with pytest.raises(ExcludedItem, match="does not answer this question, and answers another one"):
        model.ask(Question(WORDS))
    assert sum(WORDS in json.dumps(body) and "logprobs" in body for body in server.asked) == 2


def test_an_outage_of_a_minute_is_waited_for_by_default(serve, monkeypatch):
    waited = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    server = serve(lambda *_: FINE if sum(waited) >= 60 else (503, b""))
    assert ChatClient(ServerSettings(base_url=server.url)).ask(Question("so")).text == "Ambivalent"
    assert threading.active_count() < 50


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_takes_nothing_to_another_server(serve, status):
    other = serve(lambda *_: FINE)
    server = serve(lambda *_: (status, b"", {"Location": f"{other.url}/chat/completions"}))
    with pytest.raises(WaverError, match="a redirection, which is not followed; correct base_url"):
        asked(server).ask(Question(WORDS))
    assert other.asked == []
