import ast
import re
from pathlib import Path

import pytest

import waver.report
from waver.datasets.consent import Consent
from waver.errors import WaverError
from waver.report.consent_gate import WITHHELD, Gate
from waver.report.tables.results import ShownCell

FILE = "82003_Question_2_2024-05-01_10-11-12_Video-DESKTOP-AB1"


@pytest.fixture
def gate() -> Gate:
    names = {
        "82003": {"82003_Q2", f"{FILE}.mp4", FILE, "video.mp4"},
        "82004": {"82004_Q2", "video.mp4"},
        "82005": set(),
    }
    return Gate(Consent(publication=frozenset({"82004", "82005"})), b"secret", names)


def test_unknown_is_no(gate):
    assert [gate.shows(who) for who in ("82004", "82003", "99999", None)] == [True, False, False, False]
    assert gate.name("82003") == gate.name(None) == WITHHELD
    names = {gate.name("82004"), gate.name("82005")}
    assert all(re.fullmatch("P-[A-Z2-7]{5}", name) for name in names)
    assert len(names) == 2


def test_a_page_that_names_somebody_is_refused(gate):
    assert ShownCell("82,003", "of 99,000", 82003.0).sort_key == "8.200300000e+04"
    gate.check(f'<td data-key="{ShownCell("82,003", "", 82003.0).sort_key}">')
    gate.check('<td class="number best" data-key="1">82003</td><path d="M 82003 82004 L 1 2"/>')
    gate.check("<p>82,003 frames, 0.82003, M 482003</p> data:image/png;base64,AA/82003/")
    leaks = (
        "<td>82003</td>",
        f"<p>{FILE}.mp4",
        "82003_Q2",
        "P1 is 82004",
        "<text>82004_Q2</text>",
        "(82004/video.mp4)",
    )
    for leak in leaks:
        with pytest.raises(WaverError, match="would name"):
            gate.check(leak)
    escaped = Gate(Consent(), b"secret", {"r&d_7": {"r&d_7_Q1"}})
    for leak in ("r&amp;d_7_Q1", "r&d_7"):
        with pytest.raises(WaverError, match="would name"):
            escaped.check(leak)


@pytest.mark.parametrize("name", ["2025", "control", "frames", "12", "lfan", "P01"])
def test_an_id_that_is_a_word_of_the_page_stops_no_page_unless_with_more_of_the_person(name):
    gate = Gate(
        Consent(publication=frozenset()), b"secret", {name: {f"{name}_Q3", f"{name}_Question_3_2024-05-01.mp4"}}
    )
    gate.check("<p>The 2025 papers: the control on 12 frames, LFAN lfan. P-01</p>")
    with pytest.raises(WaverError, match="would name"):
        gate.check(f"<p>{name}_Q3</p>")


def test_a_page_that_quotes_somebody_is_refused():
    said = {
        "82003": ["Well, I’d like to quit but honestly the evenings are hard for me", "I never liked broccoli soup"],
        "82004": ["honestly the evenings are hard for me and for my sister too"],
        "82005": ["yes I do"],
    }
    gate = Gate(Consent(publication=frozenset({"82004"})), b"secret", {"82003": (), "82004": ()}, said)
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


@pytest.mark.slow
def test_only_the_gate_opens_stores():
    readers = {"read_store", "open_store", "read_attributes", "store_attributes", "open_group"}
    for path in Path(waver.report.__file__).parent.rglob("*.py"):
        used = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        used |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert path.name == "consent_gate.py" or not used & readers, path.name
