"""The sentences under the page's first table: how each level's method was chosen, and what its score shows."""

from __future__ import annotations

from collections.abc import Sequence

from waver.registry import ADAPTATIONS, UNADAPTED
from waver.report.data import Material
from waver.report.formatting import LEVELS, PROTOCOLS, interval, is_constant, listed, plural, score, signed
from waver.report.ranking import MethodScores, Selection, best, content_free, ranked_methods, select, spread
from waver.report.text.findings import gap_of, gaps, verdict

FEW_PEOPLE = 10
"""Below this number of participants, intervals from resamples of them are known to be too narrow."""


def summary(material: Material) -> list[tuple[str, str]]:
    """(level, sentences) of every level that was scored; one entry without a level where nothing was."""
    found = [(LEVELS[level], _level(material, level)) for level in ("frame", "video")]
    found += [(f"{LEVELS['participant']}, {PROTOCOLS[one].lower()}", _adaptation(material, one)) for one in PROTOCOLS]
    return [(level, text) for level, text in found if text] or [("", "No method was scored.")]


def _level(material: Material, level: str) -> str:
    """How the method was chosen and scored, on the split of the choice and on test."""
    selection = select(material.scores, level)
    if selection is None:
        return ""
    parts = [_choice(selection)]
    if selection.chosen_on == "cv" or not selection.independent:
        parts.append(_against_control(material, level, selection.chosen_on, selection.chosen))
    if selection.independent:
        people = plural(selection.shown.any["participants"], "test participant")
        parts.append(f"On {people}, who had no part in this choice, it scores {_with_spread(selection.shown)}.")
        parts.append(_against_control(material, level, selection.shown_on, selection.shown))
    return " ".join(filter(None, parts))


def _choice(selection: Selection) -> str:
    row, number = selection.chosen, selection.candidates
    people = row.any["participants"]
    where = {
        "cv": f"in cross-validation over {plural(people, 'participant')}",
        "val": f"on {plural(people, 'validation participant')}",
        "test": f"on {plural(people, 'test participant')}",
    }[selection.chosen_on]
    if number == 1:
        return f"{row.name} is the only method; {where} its AVGF1 is {_with_spread(row)}."
    text = f"Of {number} methods {row.name} has the highest AVGF1 {where}: {_with_spread(row)}."
    flattered = not selection.independent
    return f"{text} It was chosen by this score, which flatters it." if flattered else text


def _against_control(material: Material, level: str, split: str, method: MethodScores) -> str:
    rows = ranked_methods(material.scores, level, split)
    control = content_free(rows)
    if control is None or control.value("AVGF1") is None:
        return "The content-free control was not scored, so this number has no reference."
    found = gaps(material.comparisons, level, split)
    gap = gap_of(found, method)
    knows = "The content-free control, which knows the question and the length of the answer,"
    parts = [f"{knows} scores {_with_spread(control)}."]
    parts += [f"{method.name} {gap.position}."] if gap else []
    parts += [verdict(found, method), _against_constants(method, rows), few(method.any["participants"])]
    return " ".join(filter(None, parts))


def _with_spread(row: MethodScores) -> str:
    """A score with its interval and, where it is of several seeds, the scores of the single seeds."""
    found = row.scores["AVGF1"]
    within, alone = interval(found["low"], found["high"], " to "), spread(found)
    about = [f"95 % interval {within}"] * bool(within)
    about += [f"single seeds, mean ± sd: {alone}"] * bool(alone)
    return score(found["value"]) + (f" ({'; '.join(about)})" if about else "")


def better_constants(method: MethodScores, rows: Sequence[MethodScores]) -> list[MethodScores]:
    """Controls with one answer for everything that score no less than the method."""
    reached = method.value("AVGF1") or 0.0
    return [row for row in rows if is_constant(row.method) and (row.value("AVGF1") or 0.0) >= reached]


def _against_constants(method: MethodScores, rows: Sequence[MethodScores]) -> str:
    named = [f"{row.name.lower()} {score(row.value('AVGF1'))}" for row in better_constants(method, rows)]
    return f"One answer for everything scores no less ({listed(named)}), so the score shows nothing." if named else ""


def few(people: int) -> str:
    """That intervals are too narrow, where they are over few people."""
    return "Intervals over so few people are too narrow to be reliable." if 1 < people < FEW_PEOPLE else ""


def _adaptation(material: Material, protocol: str) -> str:
    """The adaptation method against no adaptation and against the control."""
    selection = select(material.scores, "participant", protocol, without=UNADAPTED)
    split = selection.shown_on if selection else "test"
    rows = ranked_methods(material.scores, "participant", split, protocol)
    if selection is None:
        return ""
    method, number = selection.shown, selection.candidates
    baseline = ADAPTATIONS[method.method].baseline
    unchanged = (row for row in rows if row.method == baseline and row.network == method.network)
    source = next((row for row in unchanged if row.modalities == method.modalities), None)
    before = source.value("AVGF1") if source else None
    if before is None:
        return ""
    people = plural(method.any["participants"], "participant")
    reaches = f"a mean AVGF1 over {people} of {_with_spread(method)}, against {score(before)} without adaptation"
    text = f"{method.name} reaches {reaches}"
    if number > 1:
        text = f"Of {number} adaptation methods {method.name}, chosen by this score, reaches {reaches}"
    control = content_free(rows)
    if control is None or control.value("AVGF1") is None:
        return f"{text}.{_no_gain(method, rows)}"
    text += f" and {score(control.value('AVGF1'))} for the content-free control on the same frames"
    gap = gap_of(gaps(material.comparisons, "participant", split, protocol=protocol), method)
    within = interval(gap.low, gap.high, " to ") if gap else ""
    if gap is None or not within:
        return f"{text}.{_no_gain(method, rows)}"
    text += f" (difference to the control {signed(gap.difference)}, 95 % interval {within})."
    return f"{text}{_no_gain(method, rows)}"


def _no_gain(adapted: MethodScores, rows: Sequence[MethodScores]) -> str:
    """That a network as it was scores no less than the best adapted one."""
    still = best([row for row in rows if row.method in UNADAPTED])
    reached = still.value("AVGF1") if still else None
    if still is None or reached is None or reached < (adapted.value("AVGF1") or 0.0):
        return ""
    return f" No adapted network scores more than {still.name}, which is not adapted: {score(reached)}."
