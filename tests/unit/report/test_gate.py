import ast
from pathlib import Path

import pytest

import waver.report
from waver.data.consent import Consent
from waver.errors import WaverError
from waver.report.gate import WITHHELD, Gate
from waver.report.tables import ShownCell

FILE = "82003_Question_2_2024-05-01_10-11-12_Video-DESKTOP-AB1"


@pytest.fixture
def gate() -> Gate:
    names = {
        "82003": {"82003_Q2", f"{FILE}.mp4", FILE, "video.mp4"},
        "82004": {"82004_Q2", "video.mp4"},
        "82005": set(),
    }
    return Gate(Consent(publication=frozenset({"82004", "82005"})), "demo", names)


def test_unknown_is_no(gate):
    assert [gate.shows(who) for who in ("82004", "82003", "99999", None)] == [True, False, False, False]
    assert gate.name("82003") == gate.name(None) == WITHHELD
    assert {gate.name("82004"), gate.name("82005")} == {"P01", "P02"}


def test_paths(gate):
    assert gate.path("82004", "82004/video.mp4") == "82004/video.mp4"
    assert gate.path("82004", "/home/somebody/82004/video.mp4") == ""
    assert gate.path("82003", f"82003/{FILE}.mp4") == ""
    assert gate.common("split/train.txt") == "split/train.txt"
    assert gate.common("holiday.mp4") == gate.common("lists/82003.txt") == gate.common("/home/a/train.txt") == ""


def test_texts_lose_ids_names_and_folders(gate):
    told = gate.text("82003", f"ValueError: /data/x y/82003/{FILE}.mp4 of 82003_Q2 (82003), see other.mp4")
    assert not any(part in told for part in ("82003", "DESKTOP", "2024", "/data", "other", ".mp4"))
    assert gate.text("82004", "unlike 82003, 82004_Q2 has /a/b/file.mp4") == (
        f"unlike (withheld), {gate.name('82004')} has file.mp4"
    )
    assert gate.text("82004", "frames 182003 and .82003 of 820035") == "frames 182003 and .82003 of 820035"


def test_a_page_that_names_somebody_is_refused(gate):
    assert ShownCell("82,003", "of 99,000", 82003.0).sort_key == "8.200300000e+04"
    gate.check(f'<td data-key="{ShownCell("82,003", "", 82003.0).sort_key}">')
    gate.check("<p>82,003 frames, 0.82003, M 482003, video.mp4</p> data:image/png;base64,AA/82003/")
    for leak in ("<td>82003</td>", f"<p>{FILE}.mp4", "82003_Q2"):
        with pytest.raises(WaverError, match="did not consent"):
            gate.check(leak)
    escaped = Gate(Consent(), "demo", {"r&d_7": {"r&d_7_Q1"}})
    for leak in ("r&amp;d_7_Q1", "r&d_7"):
        with pytest.raises(WaverError, match="did not consent"):
            escaped.check(leak)


def test_a_page_that_quotes_somebody_is_refused():
    said = {
        "82003": ["Well, I’d like to quit but honestly the evenings are hard for me", "I never liked broccoli soup"],
        "82004": ["honestly the evenings are hard for me and for my sister too"],
        "82005": ["yes I do"],
    }
    gate = Gate(Consent(publication=frozenset({"82004"})), "demo", {"82003": (), "82004": ()}, said)
    for shown in ("<p>I'd like to quit</p>", "yes I do", "honestly the evenings are hard for me and for my", "soup"):
        gate.check(shown)
    quotes = ("<p>… i'd like to <b>quit</b>, but honestly, the evenings", "<text>I never liked broccoli soup</text>",
              "<g aria-label='I&#39;d like to quit but honestly the evenings'/>")  # fmt: skip
    for quoted in quotes:
        with pytest.raises(WaverError, match="would quote"):
            gate.check(quoted)


def test_stores_of_others_are_never_opened(gate, tmp_path):
    row = {"participant": "82003", "video": "82003_Q2"}
    for read in (lambda: gate.faces(tmp_path, row, [0]), lambda: gate.words(tmp_path, row),
                 lambda: gate.arrays(tmp_path, row, "logmel")):  # fmt: skip
        with pytest.raises(WaverError, match="did not consent"):
            read()


def test_only_the_gate_opens_stores():
    readers = {"read_store", "open_store", "read_attributes", "store_attributes", "open_group"}
    for path in Path(waver.report.__file__).parent.glob("*.py"):
        used = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        used |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert path.name == "gate.py" or not used & readers, path.name
