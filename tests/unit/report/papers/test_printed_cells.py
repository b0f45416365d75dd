"""Every number that is shipped as published is held to the row of the paper's table in which it is printed."""

import re
from pathlib import Path

import pytest
import yaml

from waver.adaptation.protocol import split_counts
from waver.evaluation.prevalence import constant_score
from waver.report.papers.published import UNCHECKED, prevalence, published, published_costs, releases

DATA = Path(__file__).parents[3] / "data"
PRINTED = yaml.safe_load((DATA / "printed_tables.yaml").read_text(encoding="utf-8"))
SENTENCES = yaml.safe_load((DATA / "printed_sentences.yaml").read_text(encoding="utf-8"))
TOLD = releases()["224"]["described"] | releases()["224"]["people"] | releases()["300"]["counts"]
"""Figures that the papers give in their text, outside of tables."""
SHIPPED = [table for level in ("frame", "video", "participant") for table in published(level)]

NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?:±(\d\.\d+))?(?![\w.])|\bNA\b")
MODALITIES = {"V": "visual", "A": "audio", "T": "text"}
SUBSETS = ["V", "A", "T", "VA", "VT", "AT", "VAT"]
TWO_LEVELS = {("Video-LLaVA", "video"): 0, ("AffectGPT", "video"): 1, ("Video-LLaVA", "frame"): 2}
SHORT = {"definition": "def", " only": "", ", zero-shot": " zs", ", fine-tuned": " ft", "uda (sub-based)": "acpl"}
GROUPS = re.compile(r"^(?:sf|s|)(?:u)?da |[()]")


def plain(label):
    """One spelling of the label of a row, ours or the paper's."""
    text = label.lower()
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return " ".join(GROUPS.sub("", text).split())


def printed_cells(table):
    """(label, column) -> number and deviation, of a printed table."""
    cells = {}
    for row in table["rows"]:
        found = list(NUMBER.finditer(re.sub(r"(Def(?:inition)?(?: Only)?) (\d)", r"\1_\2", row)))
        if "Frames" in row and row[0].isdigit():
            found = found[1:]
        first = found[0].start()
        label = plain(re.sub(r"(Def(?:inition)?(?: Only)?) (\d)", r"\1_\2", row)[:first].replace("_", " "))
        for column, match in enumerate(found):
            if match[0] != "NA":
                cells[label, column] = (float(match[1]), float(match[2]) if match[2] else None)
    return cells


def place(table, row, metric):
    """Label and column under which the paper prints a cell of ours."""
    method, modalities, setting, cells = row
    given = [cell.metric for cell in cells if cell]
    if (table.paper, table.table) == ("2026 paper", "Table 2"):
        return metric.removesuffix("_paper").lower(), SUBSETS.index(modalities)
    if (table.paper, table.table) == ("2026 paper", "Table 7"):
        return plain(setting), TWO_LEVELS[method, table.level]
    if "by modality" in table.title:
        return " + ".join(MODALITIES[letter] for letter in modalities), given.index(metric)
    if "language model" in table.title:
        return plain(setting), given.index(metric)
    if "context" in table.title:
        return plain(method), given.index(metric) + (len(given) if setting == "TCN" else 0)
    if table.title in ("Video models", "Fusion") and setting:
        short = {"zero-shot": "zs", "fine-tuned": "ft", "transformer": "transformer"}.get(setting, setting)
        return plain(f"{method} {short}"), given.index(metric)
    return plain(method), given.index(metric)


@pytest.mark.parametrize("table", [one for one in PRINTED if one["table"] not in ("Table 3", "Table 4", "Table 23")
                                   or one["paper"] == "2026 paper"],
                         ids=lambda one: f"{one['paper']}, {one['table']}, section {one['section']}")  # fmt: skip
def test_every_cell_is_the_printed_one(table):
    ours = [one for one in SHIPPED if (one.paper, one.table) == (table["paper"], table["table"])]
    shipped = {
        place(one, row, cell.metric): (cell.value, cell.sd)
        for one in ours for row in one.rows for cell in row[3] if cell
    }  # fmt: skip
    assert shipped == printed_cells(table)


def figures(text):
    """Numbers of a text, without the thousands' commas."""
    return {
        float(number) for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", text))
    }


@pytest.mark.parametrize("key", TOLD, ids=lambda key: f"{SENTENCES[key][0]}, section {SENTENCES[key][1]}, {key}")
def test_every_figure_of_the_text_is_the_printed_one(key):
    sentence, actual = " ".join(SENTENCES[key][2:]), TOLD[key]
    groups = actual if isinstance(actual, dict) else {key: actual}
    shipped = {number for value in groups.values() for number in figures(str(value))}
    assert shipped
    assert shipped <= figures(sentence)
    if key in releases()["224"]["people"]:  # each share stands beside its group, or the group is its denial
        for group, share in groups.items():
            near = sentence.lower().split(str(share))
            assert group == "no" or any(group.lower() in part[-40:] + part[:50] for part in near), group


def test_every_sentence_is_of_something_shipped():
    assert set(SENTENCES) == {*TOLD, "compute"}
    assert set(releases()["224"]) == set(releases()["300"]) | {"described_in", "described", "people", "personal_splits"}
    assert releases()["224"]["counts"]["segments"] == {"all": 1274}
    assert figures(SENTENCES["segments"][2]) == {1274}


def test_costs_are_those_of_table_14():
    (cost,) = published_costs()
    minutes, milliseconds, millions, learnable, teraflops, gigamacs = (
        float(re.search(r"~ ([0-9.]+)", line)[1]) for line in SENTENCES["compute"][2].split(";")[:-1]
    )
    assert (cost["paper"], cost["table"]) == ("dataset paper", "Table 14")
    assert (cost["epoch_s"], cost["frame_s"]) == pytest.approx((60 * minutes, milliseconds / 1000))
    assert (cost["parameters"], cost["trainable"]) == pytest.approx((1e6 * millions, 1e6 * learnable))
    assert (cost["flops"], cost["macs"]) == pytest.approx((1e12 * teraflops, 1e9 * gigamacs))


def test_positives_that_no_text_gives_are_those_that_the_printed_constants_imply():
    """Table 7 of the 2026 paper has the scores of one answer for everything, at both levels."""
    (rows,) = [one["rows"] for one in PRINTED if (one["paper"], one["table"]) == ("2026 paper", "Table 7")]
    text, release = " ".join(rows), releases()["300"]
    n, positives = release["video"]["n"], release["video"]["positives"]
    for number, actual in ((positives - 1, False), (positives, True), (positives + 1, False)):
        assert (f"{constant_score('AVGF1', number / n, True):.4f}" in text) is actual
    assert f"{constant_score('AVGF1', prevalence('300', 'frame'), False):.4f}" in text


def test_tables_without_a_printed_row_are_marked_as_unchecked():
    known = {(one["paper"], one["table"]) for one in PRINTED}
    unknown = [one for one in SHIPPED if (one.paper, one.table) not in known]
    assert [one.table for one in unknown] == ["appendix"]
    assert sum(len(row[3]) for one in unknown for row in one.rows) == 20
    assert all((UNCHECKED in one.remarks) == (one in unknown) for one in SHIPPED)


def test_counts_of_the_release_are_those_of_table_3():
    (rows,) = [one["rows"] for one in PRINTED if (one["paper"], one["table"]) == ("dataset paper", "Table 3")]
    names = {"duration (hour)": "hours", "duration with A/H (hour)": "hours_with_ah"}
    printed = {}
    for row in rows:
        _, text = row.split(" ", 1)
        label = text[: NUMBER.search(text).start()].strip()
        values = [float(value) for value in row.rsplit(" ", 4)[1:]]
        key = names.get(label, label.replace(" with A/H", "_with_ah"))
        printed[key] = dict(zip(("train", "val", "test", "all"), values, strict=True))
    counts = releases()["224"]["counts"]
    assert {name: counts[name] for name in printed} == printed
    assert set(counts) - set(printed) == {"segments", "personal_splits"}


def test_shares_of_table_4_follow_from_the_counts():
    (rows,) = [one["rows"] for one in PRINTED if (one["paper"], one["table"]) == ("dataset paper", "Table 4")]
    counts = releases()["224"]["counts"]
    for row, quantity in zip(rows[:3], ("participants", "videos", "frames"), strict=True):
        shares = [float(value) for value in row.rsplit(" ", 4)[1:]]
        for split, share in zip(("train", "val", "test", "all"), shares, strict=True):
            # the paper cuts digits off
            assert 0 <= 100 * counts[f"{quantity}_with_ah"][split] / counts[quantity][split] - share < 0.0101


def test_personal_splits_are_those_of_table_23():
    (rows,) = [one["rows"] for one in PRINTED if (one["paper"], one["table"]) == ("dataset paper", "Table 23")]
    *printed, totals = [[int(number) for number in row.split()[1:]] for row in rows]
    release = releases()["224"]
    assert release["personal_splits"] == printed
    columns = [sum(column) for column in zip(*printed, strict=True)]
    # participant 55 has frames without A/H alone; the totals of val and test count them in the wrong column
    _, _, _, val, _, test = printed[54]
    assert [total - own for total, own in zip(totals, columns, strict=True)] == [0, 0, val, 0, test, -test]
    by_rule = [split_counts(sum(row[::2]), sum(row[1::2])) for row in printed]
    assert [number for number, row in enumerate(printed, 1) if tuple(row) != by_rule[number - 1]] == [28]
    mended = sum(columns) - printed[27][3] + 591
    assert (mended, sum(columns[::2])) == (release["frame"]["n"], release["frame"]["positives"])
    assert split_counts(537, 7530).val_negatives == 591
