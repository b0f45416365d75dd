"""What methods did, and the scores of single participants: seeds, consent, and nobody told by subtraction."""

from __future__ import annotations

import pytest
from report_inputs import adapted_line

from waver.datasets.consent import Consent
from waver.report.consent_gate import Gate
from waver.report.tables.adapted_methods import adapted_methods
from waver.report.tables.each_participant import each_participant

PEOPLE = [str(82000 + number) for number in range(6)]
CONTROL = {person: {"F1": 0.45, "WF1": 0.5, "AP_paper": 0.2, "AVGF1": 0.4} for person in PEOPLE}
SCORES = {"source_only": 0.3, "shot": 0.5, "acpl": 0.2}


def adapted(people=PEOPLE, seeds=(0, 1)):
    """Two seeds of three methods, of which SHOT tells of its pseudo-labels."""
    found = []
    for method, value in SCORES.items():
        for seed in seeds:
            about = {"method": method, "modalities": "V", "network": "bottleneck", "protocol": "block", "seed": seed}
            lines = [adapted_line(person, values=(0.4, value + 0.1 * seed)) for person in people]
            for line in lines if method == "shot" else ():
                line["chosen"] = [{"done": 0.0, "frames": 30, "right": 0.5}, {"done": 1.0, "frames": 20, "right": 0.75}]
            found.append((about, [*lines, {"participant": "82099", "left_out": "too short"}]))
    return found


def gate(*shown: str) -> Gate:
    return Gate(Consent(publication=frozenset(shown)), b"secret", {person: set() for person in [*PEOPLE, "82099"]})


def test_what_a_method_chose_stands_beside_what_was_right():
    table = adapted_methods(adapted(), "block", 3)
    cells = {row.name: dict(zip(table.heads, row.cells, strict=True)) for row in table.methods}
    shot = cells["SHOT V"]
    assert (shot["Frames chosen"].text, shot["Frames chosen"].below) == ("20 of 30", "first: 30")
    assert (shot["Pseudo-labels right"].text, shot["Pseudo-labels right"].below) == ("75 %", "first: 50 %")
    assert (shot["Predicted A/H"].text, shot["Predicted A/H"].below) == ("30 %", "before: 20 %")
    assert (shot["Optimiser steps"].text, shot["Class changed"].text) == ("20", "10 %")
    assert {cells["ACPL V"][name].text for name in ("Frames chosen", "Pseudo-labels right")} == {"–"}


def test_a_method_on_few_people_has_no_line():
    assert adapted_methods(adapted(PEOPLE[:2]), "block", 3) is None
    assert adapted_methods(adapted(), "video", 3) is None


def test_caches_are_of_the_frames_that_are_scored_and_have_nothing_that_is_right():
    found = adapted(seeds=(0,))
    for about, lines in found:
        if about["method"] == "shot":
            for line in lines[:-1]:
                line["chosen"] = [{"done": 0.1, "frames": 2}, {"done": 1.0, "frames": 6}]
    row = next(row for row in adapted_methods(found, "block", 3).methods if row.name == "SHOT V")
    assert [cell.text for cell in row.cells[-2:]] == ["6 of 10", "–"]


def test_each_participant_who_may_be_shown_has_a_pseudonym_and_the_mean_of_the_seeds():
    tables = dict(each_participant(adapted(), "block", gate(*PEOPLE), 3, CONTROL))
    frames = tables["Frames of each participant (dataset paper, Table 23)"]
    assert [cell.text for cell in frames.methods[0].cells] == ["9", "21", "1", "1", "3", "7"]
    f1 = tables["F1 of each participant (dataset paper, Table 24)"]
    assert f1.heads == ("Source only V", "SHOT V", "ACPL V", "Content-free control", "All negative")
    people = [row for row in f1.methods if row.name.startswith("P-")]
    assert len(people) == 6
    assert [row.name for row in people] == sorted(row.name for row in people)
    assert [cell.text for cell in people[0].cells] == [".350", ".550", ".250", ".450", ".000"]
    better = next(row for row in f1.methods if row.name == "Better than before")
    assert [cell.text for cell in better.cells] == ["–", "6 of 6", "0 of 6", "–", "–"]
    printed = [row for row in f1.methods if row.note.startswith("published")]
    assert [[cell.text for cell in row.cells] for row in printed] == [
        [".155", ".249", ".267", "–", "–"],
        ["–", "38 of 54", "44 of 54", "–", "–"],
    ]
    assert "WF1 of each participant (dataset paper, Table 25)" in tables
    assert "AP (papers') of each participant (dataset paper, Table 26)" in tables


@pytest.mark.parametrize(("withheld", "shown"), [(0, 6), (1, 3), (2, 3), (3, 3), (4, 2), (6, 0)])
def test_nobody_who_is_withheld_can_be_told_from_the_mean_and_the_others(withheld, shown):
    tables = each_participant(adapted(), "block", gate(*PEOPLE[withheld:]), 3, CONTROL)
    names = {row.name for _, table in tables for row in table.methods if row.name.startswith("P-")}
    assert len(names) == shown
    if 0 < shown < 6:
        assert (
            f"{6 - shown} participants may not be shown, or might tell"
            in dict(tables)["AVGF1 of each participant"].caption
        )
        mean = next(row for row in tables[1][1].methods if row.name == "Mean of all participants")
        assert mean.cells[0].text == ".350"


def test_a_method_that_lacks_some_of_the_withheld_has_no_column():
    found = adapted(seeds=(0,))
    about, lines = found[1]
    found[1] = (about, lines[1:])  # SHOT left out one of the three who may not be shown
    tables = dict(each_participant(found, "block", gate(*PEOPLE[3:]), 3, {}))
    assert tables["AVGF1 of each participant"].heads == ("Source only V", "ACPL V", "All negative")
