"""Prompts byte for byte, whatever is said in them; and files of prompts that are refused."""

from __future__ import annotations

import jinja2
import pytest

from waver.errors import WaverError
from waver.zeroshot.prompts.prompt_set import read_prompts, shipped_sets, vicuna_turn

ONE = (
    "Definition: Ambivalence is the state of having contradictory or conflicting feelings or attitudes towards "
    "something or someone simultaneously."
)
TWO = (
    "Definition: Ambivalence and Hesitancy is understood as the simultaneous experience of desires for change and "
    "against change."
)
TWO_WITHOUT_IS = (
    "Definition: Ambivalence and Hesitancy understood as the simultaneous experience of desires for change and "
    "against change."
)
SAID = "J'ai dit « {transcript} », {0} and {{cues}} 100 %\n\"quoted\", it's so, \\1 \\g<0>, $x. Fin."
NASTY = f"  {SAID}\n"
LED = f"Video transcript: {SAID}. "
ASK = "Classify the emotion in the video as either 'Non-Ambivalent' or 'Ambivalent'."
PLAIN = "Classify the emotion in the video as either Non-Ambivalent or Ambivalent."

RELEASED = f"{ASK}\nRespond with only one word: ASSISTANT:"
PRINTED = f"{ASK} Respond with only one word: ASSISTANT:"
LATER = f"{PLAIN} Respond with only one word: ASSISTANT:"
GOLDEN = {
    ("released", "s"): RELEASED,
    ("released", "d1"): ONE + RELEASED,
    ("released", "d2"): TWO + RELEASED,
    ("released", "ts"): LED + RELEASED,
    ("released", "td1"): LED + ONE + RELEASED,
    ("released", "td2"): LED + TWO + RELEASED,
    ("bah2025", "s"): PRINTED,
    ("bah2025", "d1"): f"{ONE} {PRINTED}",
    ("bah2025", "d2"): f"{TWO} {PRINTED}",
    ("bah2025", "ts"): LED + PRINTED,
    ("bah2025", "td1"): f"{LED}{ONE} {PRINTED}",
    ("bah2025", "td2"): f"{LED}{TWO_WITHOUT_IS} {PRINTED}",
    ("paper2026", "s"): LATER,
    ("paper2026", "d1"): f"{ONE} {LATER}",
    ("paper2026", "d2"): f"{TWO} {LATER}",
    ("paper2026", "ts"): LED + LATER,
    ("paper2026", "td1"): f"{LED}{ONE} {LATER}",
    ("paper2026", "td2"): f"{LED}{TWO_WITHOUT_IS} {LATER}",
}


@pytest.mark.parametrize(("name", "prompt"), GOLDEN, ids="-".join)
def test_a_published_prompt_is_byte_exact_whatever_was_said(name, prompt):
    text = read_prompts(name).prompts[prompt].render({"transcript": NASTY})
    assert vicuna_turn(text) == f"USER: <video>\n{GOLDEN[name, prompt]}"


TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""The wrapper as a chat template, in the form of those that are stored with such checkpoints."""


@pytest.mark.parametrize(("name", "prompt"), [("paper2026", "s"), ("paper2026", "td1"), ("bah2025", "td2")])
def test_the_wrapper_is_what_a_chat_template_renders(name, prompt):
    text = read_prompts(name).prompts[prompt].render({"transcript": NASTY})
    content = [{"type": "text", "text": text}, {"type": "video"}]
    messages = [{"role": "user", "content": content}]
    rendered = jinja2.Template(TEMPLATE).render(messages=messages, add_generation_prompt=True)
    assert rendered == vicuna_turn(text)


def test_blanks_at_the_end_are_those_printed():
    ends = {
        name: {prompt: one.text[-1] for prompt, one in read_prompts(name).prompts.items()} for name in shipped_sets()
    }
    assert set(ends["released"].values()) == {" "}
    assert set(ends["paper2026"].values()) == {":"}
    assert ends["bah2025"] == dict.fromkeys(("s", "d1", "d2", "ts", "td1"), " ") | {"td2": ":"}


def test_a_prompt_without_a_transcript_needs_none_and_an_empty_one_leaves_its_frame():
    prompts = read_prompts("released").prompts
    assert [name for name, prompt in prompts.items() if prompt.slots] == ["ts", "td1", "td2"]
    assert prompts["ts"].render({"transcript": " \n "}).startswith("Video transcript: . Classify")
    with pytest.raises(KeyError):
        prompts["ts"].render({})


def test_every_prompt_has_its_own_hash():
    hashes = {prompt.sha256 for name in shipped_sets() for prompt in read_prompts(name).prompts.values()}
    assert len(hashes) == sum(len(read_prompts(name).prompts) for name in shipped_sets())


OWN = """
answers: {positive: "Yes", negative: "No"}
prompts:
  torn:
    label: torn?
    text: "{cues}{transcript} {curly} Is the person torn?"
"""


def test_a_users_own_file_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(OWN.replace("{curly}", "{ 1, {2} }"))
    found = read_prompts(str(path))
    assert (found.name, found.answers.positive, found.prompts["torn"].slots) == ("mine", "Yes", ("cues", "transcript"))
    assert (
        found.prompts["torn"].render({"cues": "{transcript}", "transcript": "x"}).startswith("{transcript}x { 1, {2}")
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (OWN, "{curly} is none of {transcript}, {cues}, {timeline}"),
        (OWN.replace("torn:", "Torn One:"), "prompts.Torn One: String should match pattern"),
        (OWN.replace("label: torn?", "labels: torn?"), "prompts.torn.label: Field required"),
        (OWN.replace('"No"', '"yes"'), "the answer 'Yes' cannot be told from the other one"),
        (OWN.replace('"Yes"', "true"), "answers.positive: Input should be a valid string"),
        ("answers: [", "not readable as YAML"),
        ("- a", "is no table"),
        ("1: 2", "answers: Field required"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(WaverError) as refused:
        read_prompts(str(path))
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("file", "named"), [("released.yaml", ""), ("mine.yaml", "name: textual\n")])
def test_a_users_own_file_is_not_called_as_a_set_that_waver_brings(tmp_path, file, named):
    path = tmp_path / file
    path.write_text(named + OWN.replace("{curly}", ""))
    with pytest.raises(WaverError, match=r"is called (released|textual), as a set that Waver brings.*; rename"):
        read_prompts(str(path))
    path.write_text("name: my_own\n" + OWN.replace("{curly}", ""))
    assert read_prompts(str(path)).name == "my_own"


def test_an_unknown_set_or_prompt_is_named_with_those_there_are():
    with pytest.raises(WaverError, match=r"there is no bah2024; .* bah2025, paper2026, released"):
        read_prompts("bah2024")
    with pytest.raises(WaverError, match=r"zeroshot\.prompts has td3, which released lacks; choose among: s, d1"):
        read_prompts("released").chosen(("s", "td3"))
