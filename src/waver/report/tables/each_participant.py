"""Scores of single participants, as in Tables 23 to 26 of the dataset paper, of those who allowed publication."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from waver.evaluation.prevalence import constant_score
from waver.registry import ADAPTATIONS
from waver.report.consent_gate import Gate
from waver.report.formatting import CONTENT_FREE, count, method_name, plural, row_name, score
from waver.report.papers.published import published, published_people
from waver.report.tables.results import COLUMNS, ShownCell, ShownRow, ShownTable

Row = dict[str, Any]

_SCORES = {"F1": "Table 24", "WF1": "Table 25", "AP_paper": "Table 26", "AVGF1": ""}
"""Scores of a participant, and the table of the dataset paper that has them."""
_SUBSETS = {"train": "T_tr", "val": "T_va", "test": "T_te"}
_NOTHING = ShownCell("–", "", float("-inf"))
_ALL_NEGATIVE = "all_negative"


class Adapted(NamedTuple):
    """A method in these tables.

    Attributes:
        name: of its row elsewhere on the page.
        key: method, modalities and network.
        people: participant -> lines of diagnostics, one a seed.
    """

    name: str
    key: tuple[str, str, str]
    people: dict[str, list[Row]]

    def value(self, participant: str, metric: str) -> float | None:
        """Mean over seeds; None where the method was not scored on the participant."""
        known = [line[metric] for line in self.people.get(participant, ()) if line.get(metric) is not None]
        return float(np.mean(known)) if known else None


def each_participant(
    adapted: Iterable[tuple[Row, Sequence[Row]]],
    protocol: str,
    gate: Gate,
    least: int,
    control: Mapping[str, Mapping[str, float]],
) -> list[tuple[str, ShownTable]]:
    """A table a score and one of frames, under labels; none where they would tell of people who are withheld.

    The means over all participants stand elsewhere on the page: with the scores of all but a few, the mean tells those
    of the few. So with those who may not be shown so many others are left out that they are ``least`` together
    (secondary suppression), and a method that was scored on fewer of these has no column.

    Args:
        adapted: metadata and diagnostics of each table of predictions.
        protocol: how a participant's frames were split.
        gate: names those who may be shown.
        least: people of whom a mean may be told.
        control: participant -> metric -> score of the content-free control on the same frames.
    """
    every = _methods(adapted, protocol)
    hidden = _hidden(set().union(*(method.people for method in every)), gate, least)
    methods = [one for one in every if not 0 < len(hidden.intersection(one.people)) < least]
    people = sorted(set().union(*(method.people for method in methods)))
    methods += _controls(methods, people, control)
    named = dict(sorted((gate.name(person), person) for person in people if person not in hidden))
    left = len(people) - len(named)
    if not named:
        return []
    whom = (
        f" {plural(left, 'participant')} may not be shown, or might tell of those, and count in the lines below alone."
    )
    withheld = whom if left else ""
    found = [(_label("Frames of each participant", "Table 23"), _frames(methods, named))]
    for metric, table in _SCORES.items():
        if any(method.value(person, metric) is not None for method in methods for person in people):
            scores = _scores(methods, named, people, metric, withheld)
            found.append((_label(f"{COLUMNS[metric]} of each participant", table), scores))
    return found


def _hidden(people: set[str], gate: Gate, least: int) -> set[str]:
    """Those who may not be shown, and where they are few the first others by their pseudonyms."""
    hidden = {person for person in people if not gate.shows(person)}
    others = sorted(people - hidden, key=gate.name)
    return hidden | set(others[: max(least - len(hidden), 0)]) if hidden else hidden


def _label(text: str, table: str) -> str:
    return f"{text} (dataset paper, {table})" if table else text


def _methods(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str) -> list[Adapted]:
    found: dict[tuple[str, str, str], Adapted] = {}
    for about, lines in adapted:
        if about["protocol"] != protocol:
            continue
        key = (about["method"], about["modalities"], about.get("network", ""))
        own = found.setdefault(key, Adapted(row_name(about), key, {}))
        for line in lines:
            if "left_out" not in line:
                own.people.setdefault(line["participant"], []).append(line)
    return [method for method in found.values() if method.people]


def _controls(
    methods: Sequence[Adapted], people: Sequence[str], control: Mapping[str, Mapping[str, float]]
) -> list[Adapted]:
    """The content-free control, and what a predictor that never says A/H scores on the frames of T_te."""
    constants: dict[str, list[Row]] = {}
    for person in people:
        line = next(own[person][0] for own in (method.people for method in methods) if person in own)
        positives = line["test_positives"]
        share = positives / (positives + line["test_negatives"])
        constants[person] = [{metric: constant_score(metric, share, positive=False) for metric in _SCORES}]
    seen = {person: [dict(control[person])] for person in people if person in control}
    found = {CONTENT_FREE: seen, _ALL_NEGATIVE: constants}
    return [Adapted(method_name(name), (name, "", ""), own) for name, own in found.items() if own]


def _frames(methods: Sequence[Adapted], named: Mapping[str, str]) -> ShownTable:
    """Frames of each subset and class; those of the first method that has them, as the split is the same for all."""
    rows = []
    for name, person in named.items():
        lines = [line for method in methods for line in method.people.get(person, ()) if "train_positives" in line]
        cells = [
            ShownCell(count(lines[0][f"{subset}_{kind}"]), "", lines[0][f"{subset}_{kind}"]) if lines else _NOTHING
            for subset in _SUBSETS
            for kind in ("positives", "negatives")
        ]
        rows.append(ShownRow(name, "", False, tuple(cells)))
    heads = tuple(f"{name}, {kind}" for name in _SUBSETS.values() for kind in ("with A/H", "without"))
    caption = "Frames that a method adapts on, that choose by labels where labels may be used, and that are scored."
    return ShownTable(caption, heads, tuple(rows), (), first="Participant")


def _scores(
    methods: Sequence[Adapted], named: Mapping[str, str], people: Sequence[str], metric: str, withheld: str
) -> ShownTable:
    rows = []
    for name, person in named.items():
        values = [method.value(person, metric) for method in methods]
        rows.append(ShownRow(name, "", False, tuple(_cell(value) for value in values)))
    over_all = [_over_all(methods, people, metric), _improved(methods, people, metric), *_printed(methods, metric)]
    caption = (
        "Participants who allowed publication, under pseudonyms, seeds averaged; a dash where the method was not "
        f"scored.{withheld} Better than before: than the same network as it was. {published_people()['remark']}"
    )
    heads = tuple(method.name for method in methods)
    return ShownTable(caption, heads, (*rows, *over_all), (), first="Participant")


def _cell(value: float | None) -> ShownCell:
    return _NOTHING if value is None else ShownCell(score(value), "", value)


def _over_all(methods: Sequence[Adapted], people: Sequence[str], metric: str) -> ShownRow:
    cells = []
    for method in methods:
        known = [value for person in people if (value := method.value(person, metric)) is not None]
        sd = f"sd {score(float(np.std(known, ddof=1)), 2)}" if len(known) > 1 else ""
        cells.append(ShownCell(score(float(np.mean(known))), sd, float(np.mean(known))) if known else _NOTHING)
    return ShownRow("Mean of all participants", "", False, tuple(cells))


def _improved(methods: Sequence[Adapted], people: Sequence[str], metric: str) -> ShownRow:
    """Participants whose score is above that of the same network as it was, and how many have a score of 0."""
    cells = []
    for method in methods:
        name, modalities, network = method.key
        wanted = (ADAPTATIONS[name].baseline if name in ADAPTATIONS else "", modalities, network)
        before = next((one for one in methods if one.key == wanted and one is not method), None)
        values = {person: method.value(person, metric) for person in people}
        known = {person: value for person, value in values.items() if value is not None}
        zero = f"{sum(value == 0 for value in known.values())} with 0"
        pairs = [(value, before.value(person, metric)) for person, value in known.items()] if before else []
        both = [(own, old) for own, old in pairs if old is not None]
        better = sum(own > old for own, old in both)
        cells.append(ShownCell(f"{better} of {len(both)}" if both else "–", zero, float(better)))
    return ShownRow("Better than before", "", False, tuple(cells))


def _printed(methods: Sequence[Adapted], metric: str) -> list[ShownRow]:
    """Printed means of the papers, and the counts of the dataset paper's table."""
    rows = []
    for table in published("participant"):
        if metric in table.metrics:
            of = {name: next((c for c in cells if c and c.metric == metric), None) for name, _, _, cells in table.rows}
            cells = [of.get(_printed_name(method)) for method in methods]
            shown = [ShownCell(score(c.value), f"sd {score(c.sd, 2)}", c.value) if c else _NOTHING for c in cells]
            rows.append(ShownRow("Mean", f"published: {table.paper}, {table.table}", False, tuple(shown)))
    counted = published_people()["better"].get(metric, {})
    if counted:
        better = [counted.get(_printed_name(method)) for method in methods]
        shown = [_NOTHING if n is None else ShownCell(f"{n[0]} of {n[1]}", "", float(n[0])) for n in better]
        rows.append(ShownRow("Better than before", "published: counted in the table", False, tuple(shown)))
    return rows


def _printed_name(method: Adapted) -> str:
    """Name of a method in the papers' tables; of networks other than CLIP and the source model none."""
    name, _, network = method.key
    if network not in ("bottleneck", "clip"):
        return ""
    return {"source_only": "Source-only", "oracle": "Oracle"}.get(name, ADAPTATIONS[name].label)
