"""Table of variants on the page."""

from dataclasses import replace

import pytest

from recorded import recorded, widened
from waver.report.build import _context, _render
from waver.report.data import load
from waver.report.tables.variants import variant_table


def row(model, reference, metric, difference, p, **about):
    base = {"level": "frame", "split": "cv", "protocol": "cv", "modalities": "VT", "participants": 12,
            "reference_modalities": "VT"}  # fmt: skip
    edge = {"low": difference - 0.02, "high": difference + 0.02, "p_holm": p, "least_p_holm": 0.008, "resamples": 1000}
    return {
        **base,
        **edge,
        **model.columns,
        "method": model.method,
        "reference": reference,
        "metric": metric,
        "difference": difference,
        **about,
    }


PLAIN, PAIRLESS = recorded("conflict", "VT"), recorded("conflict", "VT", "no_pairs", options={})
SHORT, LONG = (widened("conflict", "VT", window) for window in (24, 48))
NAMED = recorded("conflict", "VT", "w24", window=96)
ROWS = [
    row(PAIRLESS, "conflict", "AVGF1", -0.031, 0.01),
    row(PAIRLESS, "conflict", "AP", -0.01, 0.4),
    row(SHORT, "conflict", "AVGF1", 0.04, 0.012),
    {**row(SHORT, "conflict", "AP", 0.0, None), "difference": None},
    row(SHORT, "content_free", "AVGF1", 0.3, 0.01),
    row(PLAIN, "content_free", "AVGF1", 0.3, 0.01),
    row(LONG, "conflict", "AVGF1", 0.3, 0.01, split="test"),
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
    few = {**row(NAMED, "conflict", "AVGF1", 0.04, 0.125), "least_p_holm": 0.125}
    (line,) = variant_table([few], "frame", "cv").methods
    assert line.cells[0].below.endswith("p .12, minimum .12")
    assert not line.cells[0].best


def test_a_variant_has_the_window_of_its_recipe_and_its_own_name():
    rows = [row(NAMED, "conflict", "AP", 0.1, 0.5), row(PLAIN.head, "conflict", "AP", 0.2, 0.5)]
    rows += [row(NAMED.head, "conflict", "AP", 0.2, 0.5)]
    assert [line.name for line in variant_table(rows, "frame", "cv").methods] == [
        "Conflict model V+T, w24 (window 96)",
        "Conflict model V+T, video-level head",
        "Conflict model V+T, w24 (window 96), video-level head",
    ]


@pytest.mark.parametrize(("level", "split"), [("video", "cv"), ("frame", "val")])
def test_no_variants_no_table(level, split):
    assert variant_table(ROWS, level, split) is None
    assert variant_table([], level, split) is None


@pytest.mark.slow
def test_table_and_figure_stand_on_the_page(made, report_config, gate_of, tmp_path):
    material = load(made.inputs, report_config, "demo", True)
    lfan = [one for one in material.scores if (one["method"], one["modalities"]) == ("lfan", "VAT")]
    tried = [widened("lfan", "VAT", window) for window in (24, 96)]
    scores = [{**one, **model.columns, "method": model.method} for model in tried for one in lfan]
    against = [one for one in material.comparisons if (one["method"], one["modalities"]) == ("lfan", "VAT")]
    compared = [
        {**one, **model.columns, "method": model.method, "reference": reference}
        for model in tried for one in against for reference in ("lfan", one["reference"])
    ]  # fmt: skip
    material = replace(material, scores=[*material.scores, *scores], comparisons=[*material.comparisons, *compared])
    html = _render(_context(material, gate_of(material), tmp_path))
    assert "Variants: each minus its base model" in html
    assert "LFAN V+A+T, window 96" in html
    assert "Length of the window" in html
    assert (tmp_path / "windows.svg").is_file()
