"""Table of variants on the page."""

from dataclasses import replace

import pytest

from waver.report.inputs import load
from waver.report.page import _context, _render
from waver.report.variants import variant_table


def row(method, reference, metric, difference, p, **about):
    base = {"level": "frame", "split": "cv", "protocol": "cv", "modalities": "VT", "participants": 12,
            "reference_modalities": "VT"}  # fmt: skip
    edge = {"low": difference - 0.02, "high": difference + 0.02, "p_holm": p, "least_p_holm": 0.008, "resamples": 1000}
    return {
        **base,
        **edge,
        "method": method,
        "reference": reference,
        "metric": metric,
        "difference": difference,
        **about,
    }


ROWS = [
    row("conflict.no_pairs", "conflict", "AVGF1", -0.031, 0.01),
    row("conflict.no_pairs", "conflict", "AP", -0.01, 0.4),
    row("conflict.w24", "conflict", "AVGF1", 0.04, 0.012),
    {**row("conflict.w24", "conflict", "AP", 0.0, None), "difference": None},
    row("conflict.w24", "content_free", "AVGF1", 0.3, 0.01),
    row("conflict", "content_free", "AVGF1", 0.3, 0.01),
    row("conflict.w48", "conflict", "AVGF1", 0.3, 0.01, split="test"),
]


def test_only_variants_against_their_own_model_stand_in_it():
    table = variant_table(ROWS, "frame", "cv")
    assert [line.name for line in table.methods] == [
        "Conflict model V+T without pairs",
        "Conflict model V+T, window 24",
    ]
    first, second = (line.cells for line in table.methods)
    assert [cell.text for cell in first] == ["−.031", "–", "−.010", "–"]
    assert first[0].below == "−.05 to −.01\np .010"
    assert [cell.best for cell in second] == [True, False, False, False]
    assert not first[0].best
    assert "12 participants" in table.caption
    assert "p of 1,000 resamples after Holm's correction" in table.caption
    assert table.controls == ()


def test_a_variant_that_no_test_could_tell_says_so():
    few = {**row("conflict.w24", "conflict", "AVGF1", 0.04, 0.125), "least_p_holm": 0.125}
    (line,) = variant_table([few], "frame", "cv").methods
    assert line.cells[0].below.endswith("p .12, never below .12")
    assert not line.cells[0].best


@pytest.mark.parametrize(("level", "split"), [("video", "cv"), ("frame", "val")])
def test_no_variants_no_table(level, split):
    assert variant_table(ROWS, level, split) is None
    assert variant_table([], level, split) is None


def test_table_and_figure_stand_on_the_page(made, report_config, gate_of, tmp_path):
    material = load(made.inputs, report_config, "demo", True)
    lfan = [one for one in material.scores if (one["method"], one["modalities"]) == ("lfan", "VAT")]
    scores = [{**one, "method": f"lfan.w{window}"} for window in (24, 96) for one in lfan]
    against = [one for one in material.comparisons if (one["method"], one["modalities"]) == ("lfan", "VAT")]
    compared = [
        {**one, "method": f"lfan.w{window}", "reference": reference}
        for window in (24, 96) for one in against for reference in ("lfan", one["reference"])
    ]  # fmt: skip
    material = replace(material, scores=[*material.scores, *scores], comparisons=[*material.comparisons, *compared])
    html = _render(_context(material, gate_of(material), tmp_path))
    assert "Variants: each minus the model without it" in html
    assert "LFAN V+A+T, window 96" in html
    assert "Length of the window" in html
    assert (tmp_path / "windows.svg").is_file()
