"""The page's first paragraph, in plain words, from the scores."""

from __future__ import annotations

from collections.abc import Sequence

from waver.report.findings import gaps, verdict
from waver.report.inputs import Material
from waver.report.single_seeds import spread
from waver.report.standings import Standing, best, content_free, splits_of, standings
from waver.report.wording import CONSTANTS, PROTOCOLS, interval, listed, plural, score, signed

DIFFERENCE = "AVGF1_minus_content_free"
"""Metric of the paired difference to the content-free control, with its own interval."""

FEW_PEOPLE = 10
"""Below this, intervals from resampled participants are known to be too narrow."""


def summary(material: Material) -> list[str]:
    """Sentences: which method is first, whether it says more than the control, what adapting gave."""
    sentences = []
    for level, things in (("frame", "frame by frame"), ("video", "for whole videos")):
        split = next(iter(splits_of(material.scores, level)), "test")
        rows = standings(material.scores, level, split)
        claims = verdict(gaps(material.comparisons, level, split))
        sentences += _level(rows, things, split, claims)
        if split == "cv":
            sentences += _kept_apart(best(rows), standings(material.scores, level, "test"), things)
    adapted = [_adaptation(standings(material.scores, "participant", "test", one), one) for one in PROTOCOLS]
    sentences += filter(None, adapted)
    return sentences or ["No method was scored."]


def _level(rows: Sequence[Standing], things: str, split: str, claims: str) -> list[str]:
    """Who is first, and whether that means anything.

    Args:
        rows: standings of one level and split.
        things: the level, in words.
        split: cv, test or val.
        claims: what the comparisons corrected for their number say; empty where there are none.
    """
    leader, control = best(rows), content_free(rows)
    if leader is None:
        return []
    first = leader.scores["AVGF1"]
    number = sum(row.ranked for row in rows)
    rank = f"comes first of {number} methods" if number > 1 else "comes first"
    sample = _sample(split, first["participants"])
    opening = f"Judged {things} {sample}, {leader.name} {rank} with an AVGF1 of {_with_spread(leader)}."
    value = control.value("AVGF1") if control else None
    if value is None:
        return [opening, "The content-free control was not scored, so this number cannot be judged."]
    judged = _corrected(claims, value) if claims else _against_control(leader, value, number)
    return [opening, judged + _against_constants(leader, rows) + _few(first["participants"])]


def _sample(split: str, people: int) -> str:
    if split == "cv":
        return f"by cross-validation over {plural(people, 'participant')}"
    return f"on {plural(people, {'val': 'validation participant'}.get(split, 'test participant'))}"


def _corrected(claims: str, control: float) -> str:
    base = f"The content-free control, which knows what was asked and how long the answer is, has {score(control)}."
    return f"{base} {claims}"


def _kept_apart(chosen: Standing | None, rows: Sequence[Standing], things: str) -> list[str]:
    """What the method that cross-validation put first scores on test, which had no part in the choice."""
    same = [row for row in rows if chosen and (row.method, row.modalities) == (chosen.method, chosen.modalities)]
    control = content_free(rows)
    if not same or same[0].value("AVGF1") is None:
        return []
    people = plural(same[0].any["participants"], "test participant")
    told = f"On {people}, who had no part in that choice, {same[0].name} scores {_with_spread(same[0])} {things}"
    if control is not None and control.value("AVGF1") is not None:
        told += f", the content-free control {_with_spread(control)}"
    return [f"{told}."]


def _with_spread(row: Standing) -> str:
    """A score with its interval and, where it is of several seeds, what they score one by one."""
    found = row.scores["AVGF1"]
    within, alone = interval(found["low"], found["high"], " to "), spread(found)
    about = [f"95 % interval {within}"] * bool(within)
    about += [f"the seeds averaged; single seeds, mean ± sd: {alone}"] * bool(alone)
    return score(found["value"]) + (f" ({'; '.join(about)})" if about else "")


def _against_constants(leader: Standing, rows: Sequence[Standing]) -> str:
    reached = leader.value("AVGF1") or 0.0
    constants = [row for row in rows if row.method in CONSTANTS]
    above = [f"{row.name.lower()} {score(value)}" for row in constants if (value := row.value("AVGF1") or 0) >= reached]
    return f" One answer for everything scores no less ({listed(above)}), so it shows nothing." if above else ""


def _few(people: int) -> str:
    return " Intervals over so few people are too narrow to be relied on." if 1 < people < FEW_PEOPLE else ""


def _against_control(leader: Standing, control: float, number: int) -> str:
    paired = leader.scores.get(DIFFERENCE)
    low, high = (paired["low"], paired["high"]) if paired else (None, None)
    # the paired difference is of the items that both were scored on
    known = leader.value(DIFFERENCE)
    gap = (leader.value("AVGF1") or 0.0) - control if known is None else known
    within = interval(low, high, " to ")
    bounds = f"; the 95 % interval of the difference is {within}" if within else ""
    base = f"the content-free control ({score(control)}), which knows what was asked and how long the answer is"
    if round(gap, 3) <= 0:
        far = f"the best method lies {score(-gap)} below it" if round(gap, 3) else "the best method scores the same"
        return f"Nothing beats {base}: {far}{bounds}."
    if low is None:
        return f"That is {score(gap)} above {base}, without an interval of the difference."
    if low > 0:
        picked = f" It was picked from {number} by this score, which flatters it." if number > 1 else ""
        return f"That is {score(gap)} above {base}{bounds}.{picked}"
    return f"That is {score(gap)} above {base}, but the difference may be zero{bounds}. Nothing is shown to beat it."


def _adaptation(rows: Sequence[Standing], protocol: str) -> str:
    """The best adapted model beside no adaptation and the control; none of the three is said to win."""
    source = next((row for row in rows if row.method == "source_only"), None)
    leader = best([row for row in rows if row.method != "source_only"])
    before = source.value("AVGF1") if source else None
    if leader is None or before is None:
        return ""
    told = (
        f"With {PROTOCOLS[protocol].lower()} kept apart, the best of the adapted models is {leader.name}: its mean "
        f"AVGF1 over {plural(leader.any['participants'], 'participant')} is {_with_spread(leader)}, against "
        f"{score(before)} without adapting"
    )
    control, gap = content_free(rows), leader.scores.get(DIFFERENCE)
    if control is None or control.value("AVGF1") is None:
        return f"{told}."
    told += f" and {score(control.value('AVGF1'))} for the content-free control on the same frames"
    within = interval(gap["low"], gap["high"], " to ") if gap else ""
    if gap is None or not within:
        return f"{told}."
    return f"{told} (difference to the control {signed(gap['value'])}, 95 % interval {within})."
