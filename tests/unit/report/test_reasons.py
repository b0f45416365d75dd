"""The sentences of excluded items: the program's own reach the page, and what anybody wrote in a file does not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import waver
from waver.report.reasons import OTHER_REASON, OTHER_REMEDY, REASONS, shown_note, shown_reason, shown_remedy

PACKAGE = Path(waver.__file__).parent
KNOWN = yaml.safe_load(REASONS.read_text())
EXAMPLES = {
    "count": "7", "seconds": "1.5", "percent": "93%", "error": "KeyError", "feature": "faces", "column": "label",
    "table": "videos.csv", "annotation": "video_annotation.yaml", "place": "segments.csv, line 3",
    "columns": "participant and no split", "purpose": "challenge", "range": "HLG", "splits": "train, val, test",
    "affect": "positive, negative", "segments": "segments_val.csv", "rows": "videos",
    "suffix": ".webm",
    "entry": "is nested too deeply",
    "decoder": "pyav (cut short)", "backbone": "mini_xception", "device": "cpu", "ffmpeg": "End of file",
    "signal": "SIGABRT", "hidden": "Jane Doe 0123", "cause": "audio: the file has no sound",
}  # fmt: skip
SECRET = "Jane Doe, telephone 514 555 0199"


def filled(template: str) -> str:
    return re.sub(r"\{([a-z]+)\d*\}", lambda field: EXAMPLES[field[1]], template)


@pytest.mark.parametrize(
    ("kind", "show"), [("reasons", shown_reason), ("remedies", shown_remedy), ("notes", shown_note)]
)
def test_every_sentence_of_the_list_is_shown_without_its_hidden_part(kind, show):
    for template in KNOWN[kind]:
        text = filled(template)
        shown = show(text)
        assert shown.startswith(text.split(" (")[0].split(": {")[0][:20]), template
        assert EXAMPLES["hidden"] not in shown
        if "{hidden}" not in template:
            assert shown == text


def sentences(kind: int) -> Iterator[tuple[Path, str]]:
    """First (0) or second (1) argument of all ``ExcludedItem``s and ``exclusion_row``s, as patterns of their texts."""
    for part in ("datasets", "features", "align", "io"):
        for path in sorted((PACKAGE / part).rglob("*.py")):
            tree = ast.parse(path.read_text())
            assigned = dict(_assignments(tree))
            for node in ast.walk(tree):
                name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
                place = kind + (name == "exclusion_row")
                if (
                    name in ("ExcludedItem", "exclusion_row")
                    and len(node.args) > place
                    and "emotions" not in path.parts
                ):
                    yield from ((path, one) for one in _patterns(node.args[place], assigned))


def _assignments(tree: ast.Module) -> Iterator[tuple[str, list[ast.expr]]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = (
                    zip(target.elts, node.value.elts, strict=True)
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                    else [(target, node.value)]
                )
                for name, value in pairs:
                    if isinstance(name, ast.Name):
                        found.setdefault(name.id, []).append(value)
    return iter(found.items())


def _patterns(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (*_patterns(node.body, assigned), *_patterns(node.orelse, assigned))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values)
    elif isinstance(node, ast.Name):
        for value in assigned.get(node.id, []):
            yield from _patterns(value, {})


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "number", "least"), [("reasons", 0, 35), ("remedies", 1, 30)])
def test_every_sentence_of_the_stages_is_in_the_list(kind, number, least):
    texts = [filled(template) for template in KNOWN[kind]]
    texts += [f"{EXAMPLES['place']}: {text}" for text in texts] if kind == "reasons" else []
    found = list(sentences(number))
    assert len({pattern for _, pattern in found}) >= least
    missing = [(path.name, one) for path, one in found if not any(re.fullmatch(one, text) for text in texts)]
    assert missing == []


@pytest.mark.parametrize(
    "text",
    [
        f"invalid literal for int() with base 10: '{SECRET}'",
        f"its annotation cannot be understood ({SECRET})",
        f"unexpected KeyError: '{SECRET}'",
        f"label {SECRET} is no number from 0 to 1",
        f"{SECRET}: listed twice",
        f"notes about {SECRET}.csv, line 3: its language is no code",
        f"listed twice\n{SECRET}",
        f"its frame annotation lacks or repeats frames (at 1{SECRET})",
        f"it has no usable modality (faces: {SECRET}; {SECRET}: listed twice)",
        f"the video file cannot be opened ({SECRET})",
        SECRET * 200,
    ],
)
def test_what_a_person_wrote_is_never_shown(text):
    for shown in (shown_reason(text), shown_remedy(text), shown_note(text)):
        assert not any(word in shown for word in ("Jane", "Doe", "514", "0199")), shown
    assert shown_remedy(text) == OTHER_REMEDY
    assert shown_note(text) == ""


def test_fields_hold_what_their_type_says():
    assert shown_reason("its annotation has 29 frames and the video 24").endswith("the video 24")
    assert shown_reason("its annotation has 29 frames and the video Jane") == OTHER_REASON
    assert shown_reason("its annotation has ٢٩ frames and the video 24") == OTHER_REASON  # no digits of other scripts
    assert shown_reason("it has no usable modality (faces: the file has no sound)").endswith("no sound)")
    assert shown_reason("split/train.txt, line 12: its label is none of the classes").startswith("split/train.txt")
    assert shown_note("decoder=pyav (cut short); face in 80% of frames; said by Jane") == (
        "decoder=pyav (cut short); face in 80% of frames"
    )
    assert shown_remedy("") == ""
