"""The page's first paragraph, in plain words, from the scores."""

from __future__ import annotations

from collections.abc import Sequence

from waver.report.charts import DIFFERENCE
from waver.report.inputs import Material
from waver.report.standings import Standing, best, content_free, standings
from waver.report.wording import PROTOCOLS, interval, plural, score


def summary(material: Material) -> list[str]:
    """Sentences: which method is first, whether it says more than the control, what adapting gave."""
    sentences = []
    for level, things in (("frame", "frame by frame"), ("video", "for whole videos")):
        sentences += _level(standings(material.scores, level, "test"), things)
    adapted = [_adaptation(standings(material.scores, "participant", "test", one), one) for one in PROTOCOLS]
    sentences += filter(None, adapted)
    return sentences or ["No method was scored on the test split."]


def _level(rows: Sequence[Standing], things: str) -> list[str]:
    leader, control = best(rows), content_free(rows)
    if leader is None:
        return []
    first = leader.scores["AVGF1"]
    people = plural(first["participants"], "test participant")
    within = interval(first["low"], first["high"], " to ")
    opening = f"Judged {things} on {people}, {leader.name} comes first with an AVGF1 of {score(first['value'])}"
    opening += f" (95 % interval {within})." if within else "."
    value = control.value("AVGF1") if control else None
    if control is None or value is None:
        return [opening, "The content-free control was not scored, so this number cannot be judged."]
    return [opening, _against_control(leader, value)]


def _against_control(leader: Standing, control: float) -> str:
    gap = (leader.value("AVGF1") or 0.0) - control
    paired = leader.scores.get(DIFFERENCE)
    low, high = (paired["low"], paired["high"]) if paired else (None, None)
    within = interval(low, high, " to ")
    bounds = f"; the 95 % interval of the difference is {within}" if within else ""
    base = f"the content-free control ({score(control)}), which knows what was asked and how long the answer is"
    if round(gap, 3) <= 0:
        far = f"the best method lies {score(-gap)} below it" if round(gap, 3) else "the best method scores the same"
        return f"Nothing beats {base}: {far}{bounds}."
    if low is None:
        return f"That is {score(gap)} above {base}, without an interval of the difference."
    if low > 0:
        return f"That is {score(gap)} above {base}{bounds}."
    return f"That is {score(gap)} above {base}, but the difference may be zero{bounds}. Nothing is shown to beat it."


def _adaptation(rows: Sequence[Standing], protocol: str) -> str:
    source = next((row for row in rows if row.method == "source_only"), None)
    leader = best([row for row in rows if row.method != "source_only"])
    before, after = (row.value("AVGF1") if row else None for row in (source, leader))
    if leader is None or before is None or after is None:
        return ""
    moved = f"from {score(before)} to {score(after)}" if score(before) != score(after) else f"at {score(after)}"
    verb = "keeps" if moved.startswith("at") else "raises" if after > before else "lowers"
    return f"With {PROTOCOLS[protocol].lower()} kept apart, {leader.name} {verb} a participant's mean AVGF1 {moved}."
