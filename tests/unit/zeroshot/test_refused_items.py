"""Servers that refuse one item, and servers that are there no more."""

import json
import logging
import re

import numpy as np
import pytest

from chat_stub import said
from waver.config.zeroshot import ZeroShotConfig
from waver.errors import ExcludedItem, WaverError
from waver.io.tables import ANSWERS, PROMPT_ANSWERS, read_table, write_table
from waver.zeroshot.batches import Batches, Reading
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.openai import OpenAi, OpenAiConfig
from waver.zeroshot.items import Sources
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.questions import Question
from waver.zeroshot.runner import ask_shard
from waver.zeroshot.served import client
from waver.zeroshot.served.settings import ServerSettings

SET = read_prompts("released")
TOP = [("Amb", -0.25), ("Non", -2.0)]
FINE = 200, said("Ambivalent", ("Amb", TOP))
FILTERED = {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}
REFUSALS = {
    "status 400": (400, {"error": "too long"}),
    "status 403": (403, b""),
    "no choice": (200, {"choices": []}),
    "its filter": (200, FILTERED),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_item_is_left_out_alone(serve, refusal, caplog):
    server = serve(lambda _, body: refusal if "of 82002" in json.dumps(body) else FINE)
    model = OpenAi.load(None, OpenAiConfig(base_url=server.url, backoff_s=0.01, retries=1), "auto")
    items = [Item(np.zeros((1, 20, 20, 3), np.uint8))] * 3
    prompts = [[Prompt(f"words of {name}", "")] for name in ("82001", "82002", "82003")]
    question = Question("s", SET.prompts["s"], SET.answers)
    with caplog.at_level(logging.DEBUG):
        found = Batches(model, [question], Reading(), 3).ask(items, prompts)
    assert [type(one) for one in found] == [list, ExcludedItem, list]
    assert re.search("does not answer this question, and answers another one|content filter", str(found[1]))
    assert "82002" not in caplog.text + str(found[1])


@pytest.mark.parametrize("fault", [ConnectionResetError, TimeoutError, ConnectionRefusedError, 500, 503, 429, 408])
def test_a_fault_of_the_server_ends_the_job_though_it_answers_another_question(serve, monkeypatch, fault):
    """It may be gone when the job is tried again; a video that is left out for it would be lost in silence."""
    posted = client.ChatClient._post_once

    def broken(self, body, *path):
        if b"82002" not in body:
            return posted(self, body, *path)
        if isinstance(fault, int):
            return fault, b"", 0.0
        raise fault

    monkeypatch.setattr(client.ChatClient, "_post_once", broken)
    requested = client.ChatClient(ServerSettings(base_url=serve(lambda *_: FINE).url, retries=1, backoff_s=0.01))
    with pytest.raises(WaverError, match=r"does not answer after 2 attempts|answers with status") as caught:
        requested.ask(client.Question("82002"))
    assert not isinstance(caught.value, ExcludedItem)
    assert requested.ask(client.Question("82001")).text == "Ambivalent"


def test_a_server_that_is_there_no_more_ends_the_job_and_what_was_answered_stays(serve, tmp_path):
    server = serve(lambda *_: FINE)
    rows = [{"video": f"8200{n}_Q1", "participant": f"8200{n}", "split": "test", "text": "so"} for n in range(6)]
    plain = {field.name: "" if str(field.type) == "string" else 0 for field in ANSWERS}
    write_table(tmp_path / "answers.parquet", [plain | row for row in rows], ANSWERS)
    options = {"base_url": server.url, "retries": 0, "max_concurrency": 1}
    config = ZeroShotConfig(batch=2, options={"openai_text": options})
    questions = {"td1": {**SET.prompts["td1"].model_dump(), "answers": SET.answers.model_dump()}}
    output = tmp_path / "000.parquet"

    def run():
        ask_shard(
            Sources(tmp_path / "answers.parquet"), None, "openai_text", "video", questions, config, False, "", output
        )

    server.answer = lambda number, _: (503, b"") if number > 4 else FINE
    with pytest.raises(WaverError, match=r"^the server \S+ answers with status 503; look into its log$"):
        run()
    assert not output.exists()
    server.answer, before = (lambda *_: FINE), len(server.asked)
    run()
    assert len(read_table(output, PROMPT_ANSWERS)) == 6
    assert len(server.asked) - before == 2  # four were answered before
