import csv
import io
import re
from dataclasses import replace

import pytest

from recorded import recorded
from waver.errors import WaverError
from waver.io.tables import SCORES, write_table
from waver.registry import FUSIONS
from waver.report.papers.cells import NOTHING
from waver.report.papers.layouts import Run, layouts, read_runs, splits_at
from waver.report.papers.paper_table import CONTROLS, paper_tables
from waver.report.tables.formats import FORMS, Cell, Column, Line, TableData, form, tex
from waver.report.tables.names import FIGURE, TABLES
from waver.training.trained_model import NO_MODEL

N = 335_110


def rows(method, modalities, level="frame", split="test", predicted=1000, n=N, model=None, **metrics):
    """Rows of the scores table: intervals of .02 to both sides, single seeds .01 lower and .005 apart.

    They are of a model with no variant, unless one is given.
    """
    plain = recorded(method, modalities).columns if method in FUSIONS else NO_MODEL
    columns = plain if model is None else {**model.columns, "method": model.method}
    about = {"method": method, "modalities": modalities, **columns, "level": level, "split": split,
             "protocol": "standard", "group": "all", "n": n, "participants": 75, "positives": n // 5,
             "predicted_positives": predicted, "seeds": 3, "model_set": "embedded"}  # fmt: skip
    return [
        {**about, "metric": metric, "value": value, "low": round(value - 0.02, 6), "high": round(value + 0.02, 6),
         "seed_mean": round(value - 0.01, 6), "seed_sd": 0.005}
        for metric, value in metrics.items()
    ]  # fmt: skip


ALONE = {"lfan": {"temporal": "none"}}
SCORED = [
    *rows("lfan", "V", AVGF1=0.5, AP_paper=0.2, AP=0.25, F1=0.21, WF1=0.7, AUROC_within=0.52),
    *rows("lfan", "VAT", AVGF1=0.56, AP_paper=0.26, AP=0.27, F1=0.3, WF1=0.74),
    *rows("lfan", "VAT", split="val", AVGF1=0.6, AP_paper=0.3, AP=0.31, F1=0.3, WF1=0.74),
    *rows("lfan", "VATQ", AVGF1=0.61, AP_paper=0.31, AP=0.32, F1=0.3, WF1=0.74),
    *rows("conflict", "VAT", predicted=0, AVGF1=0.4456, AP_paper=0.33, AP=0.34, F1=0.0, WF1=0.7),
    *rows("all_negative", "", predicted=0, AVGF1=0.4456, AP_paper=0.098, AP=0.196, F1=0.0, WF1=0.71),
    *rows("content_free", "", AVGF1=0.6111, AP_paper=0.3, AP=0.31, F1=0.4, WF1=0.7),
]


def own(scores=SCORED, backbone="mini_xception", kinds=("fine_tuned",)):
    return Run("", backbone, frozenset({backbone, *kinds}), scores, "made-up people")


def layout(name):
    return next(entry for entry in layouts()["tables"] if entry["table"] == name)


def sheet(name, *runs):
    return paper_tables(layout(name), runs or [own()])[0]


def line(table, *labels):
    found = [one for one in table.lines if one.labels[: len(labels)] == labels]
    assert len(found) == 1, (labels, [one.labels for one in table.lines])
    return found[0]


def value(table, one, head):
    place = [f"{column.group}: {column.head}" if column.group else column.head for column in table.columns].index(head)
    return one.cells[place]


def test_every_layout_has_its_published_table_and_every_row_its_numbers():
    assert [entry["table"] for entry in layouts()["tables"]] == [n for n in TABLES if n not in (FIGURE, "compute")]
    for entry in layouts()["tables"]:
        table = sheet(entry["table"], own([]))
        paper = [one for one in table.lines if not one.body]
        assert len(paper) == len(entry["rows"])
        heads = [column.head for column in table.columns]
        for one in paper:
            printed = [cell for head, cell in zip(heads, one.cells, strict=True) if "published" in head]
            assert printed
            assert all(cell.values for cell in printed), (entry["table"], one.labels)


def test_ours_stand_beside_the_printed_numbers():
    table = sheet("2026_table_2")
    everything = line(table, "Visual + Audio + Text")
    assert value(table, everything, "AVGF1") == Cell(
        ".5600", ".54–.58\nseeds .5500 ± .0050", (0.56, 0.54, 0.58, 0.55, 0.005)
    )
    assert value(table, everything, "AVGF1, published").text == ".5502"
    assert value(table, everything, "AP (papers')").text == ".2600"
    assert value(table, everything, "AP (papers'), published").text == ".2548"
    assert value(table, everything, "AP").text == ".2700"
    assert value(table, line(table, "Visual"), "Within-question AUROC").text == ".5200"
    assert value(table, everything, "Within-question AUROC") == NOTHING
    assert value(table, everything, "Predicted A/H") == Cell("1,000", "of 335,110", (1000, N))
    assert value(table, everything, "Seeds, models") == Cell("3", "embedded", (3, "embedded"))
    assert table.split == "test"
    assert "test split of made-up people, 75 participants, 335,110 frames" in table.caption
    assert "release of 300 participants (75 participants, 335,110 frames" in table.caption


def test_a_row_that_was_not_run_says_which_line_of_the_config_runs_it():
    table = sheet("2026_table_2")
    cell = value(table, line(table, "Audio + Text"), "AVGF1")
    assert (cell.text, cell.values) == ("–", ())
    assert table.notes[cell.note - 1].endswith("train.runs: [{fusion: lfan, modalities: AT}]")
    assert table.ours == 3  # V, VAT, and VATQ below
    frames = sheet("2026_table_1")
    note = value(frames, line(frames, "mini_xception"), "Without context: AVGF1").note
    assert frames.notes[note - 1].endswith("[ah], with a visual backbone that can be trained")
    videos = sheet("2026_table_4")
    note = value(videos, line(videos, "Video-FocalNet (base)"), "AVGF1").note
    assert videos.notes[note - 1].endswith("videos.runs: [{model: focalnet_base, modalities: V}]")


def test_what_the_paper_does_not_have_stands_below_its_rows():
    table = sheet("2026_table_2")
    extra = line(table, "LFAN V+A+T + question")
    assert extra.body == "Not in the paper"
    assert value(table, extra, "AVGF1, published") == NOTHING
    fusions = sheet("2026_table_3")
    assert value(fusions, line(fusions, "Conflict model V+A+T"), "AP").text == ".3400"
    predicted = value(fusions, line(fusions, "Conflict model V+A+T"), "Predicted A/H")
    assert predicted.marked
    assert predicted.below.endswith("= all-negative")


def test_windows_of_the_ablation_stay_in_their_figure():
    models = recorded("lfan", "VAT", "short", window=96), recorded("lfan", "VAT", "w24", lr=0.1)
    scores = [row for model in models for row in rows("lfan", "VAT", model=model, AVGF1=0.5, AP=0.2)]
    lines = sheet("2026_table_3", own([*SCORED, *scores])).lines
    shown = [one.labels[0] for one in lines if one.labels[0].startswith("LFAN V+A+T")]
    assert shown == ["LFAN V+A+T + question", "LFAN V+A+T, w24"]


@pytest.mark.parametrize("name", ["2026_table_1", "2025_table_5", "2025_table_15"])
def test_a_row_without_context_is_filled_by_the_backbone_itself(name):
    level = layout(name)["level"]
    scores = [row for method in ("resnet50", "lfan") for row in rows(method, "V", level, AVGF1=0.47, F1=0.3)]
    lfan = rows("lfan", "V", level, model=recorded("lfan", "V", "alone", options=ALONE), AVGF1=0.46, F1=0.2)
    table = sheet(name, own([*scores, *lfan], "resnet50"))
    metric = "AVGF1" if "2026" in name else "F1"
    wanted = {"AVGF1": (".4700", ".4600"), "F1": (".3000", ".2000")}[metric]
    assert value(table, line(table, "ResNet50"), f"Without context: {metric}").text == wanted[0]
    # LFAN over single frames is another model, in columns of its own kind
    alone = line(table, "LFAN V, alone")
    assert alone.body == "Not in the paper"
    assert value(table, alone, f"Without context: {metric}").text == wanted[1]
    assert value(table, alone, f"With context (TCN): {metric}") == NOTHING
    missing = value(table, line(table, "ResNet18"), f"Without context: {metric}")
    assert "report.other_runs: {resnet18" in table.notes[missing.note - 1]


def test_a_model_without_context_is_told_by_what_has_none_and_not_by_a_name():
    def shown(**changed):
        variant = recorded("lfan", "V", "frames", **changed)
        table = sheet("2026_table_1", own([*SCORED, *rows("lfan", "V", model=variant, AVGF1=0.47)]))
        return [one.labels[0] for one in table.lines if one.body == "Not in the paper"]

    assert shown(options=ALONE) == ["mini_xception", "LFAN V, frames"]
    assert shown(lr=0.1) == shown(lr=0.1, options=ALONE) == ["mini_xception"]


def test_video_level_heads_have_lines_of_their_own():
    heads = [recorded("conflict", "VAT").head, recorded("conflict", "VAT", "video_head").head]
    scores = [row for head in heads for row in rows("conflict", "VAT", "video", model=head, AVGF1=0.5)]
    names = {one.labels[0] for one in sheet("2025_table_17", own(scores)).lines if one.body == "Not in the paper"}
    assert names == {f"Conflict model V+A+T{end}, video-level head" for end in ("", ", video head")}


def test_controls_stand_at_the_foot_of_every_table():
    for name in [entry["table"] for entry in layouts()["tables"]]:
        table = sheet(name)
        foot = [one.labels[0] for one in table.lines if one.body == CONTROLS]
        assert foot == ["All negative", "All positive", "Question prior", "Content-free control"]
        assert [one.body for one in table.lines[-4:]] == [CONTROLS] * 4
    table = sheet("2026_table_2")
    nobody = line(table, "All negative")
    assert value(table, nobody, "AVGF1").text == ".4456"
    # of the paper's own test set, from its prevalence
    assert value(table, nobody, "AVGF1, published").text == ".4456"
    assert value(table, line(table, "All positive"), "AVGF1, published").text == ".1640"
    assert value(table, line(table, "Content-free control"), "AVGF1, published") == NOTHING
    older = sheet("2025_table_6")
    assert value(older, line(older, "All negative"), "WF1, published").text == ".7148"


def test_a_published_constant_is_marked():
    from waver.report.papers.cells import printed_cell
    from waver.report.papers.published import published

    cells = {
        (method, setting): printed_cell(row[0])
        for table in published("video")
        if (table.paper, table.table) == ("2026 paper", "Table 7")
        for method, _, setting, row in table.rows
    }
    assert cells["Video-LLaVA", "simple, zero-shot"] == Cell(
        ".2827", "= all-negative", (0.2827, "all-negative"), marked=True
    )
    assert not cells["AffectGPT", "simple, zero-shot"].marked


def test_rows_of_other_backbones_come_from_other_runs(tmp_path):
    mine, theirs = tmp_path / "own.parquet", tmp_path / "r18.parquet"
    write_table(mine, SCORED, SCORES)
    other = rows("lfan", "V", n=500, AVGF1=0.52, AP_paper=0.22, AP=0.23) + rows("resnet18", "V", n=500, AVGF1=0.51)
    write_table(theirs, other, SCORES)
    beside = {"resnet18": theirs, "wide": theirs}
    runs = read_runs(mine, "resnet101", ["fine_tuned"], "made-up people", beside)
    table = paper_tables(layout("2026_table_1"), runs)[0]
    small, large = line(table, "ResNet18"), line(table, "ResNet101")
    assert value(table, small, "With context (TCN): AVGF1").text == ".5200"
    assert value(table, small, "Without context: AVGF1").text == ".5100"
    assert value(table, small, "With context (TCN): AVGF1, published").text == ".5079"
    note = value(table, small, "With context (TCN): AVGF1").note
    assert table.notes[note - 1] == "from the run resnet18, which was scored on other data: 500 frames"
    assert value(table, large, "With context (TCN): AVGF1").text == ".5000"
    assert value(table, large, "With context (TCN): AVGF1").note == 0
    note = value(table, line(table, "APViT"), "With context (TCN): AVGF1").note
    assert "report.other_runs: {apvit: results/<a run with features.visual.backbone: apvit>}" in table.notes[note - 1]
    # a name that is no backbone of the paper has a line of its own, and its other models stand in the other tables
    wide = line(table, "wide")
    assert value(table, wide, "With context (TCN): AVGF1").text == ".5200"
    assert value(table, wide, "Without context: AVGF1").text == ".5100"
    others = paper_tables(layout("2026_table_2"), runs)[0]
    assert value(others, line(others, "LFAN V, run wide"), "AVGF1").text == ".5200"
    assert value(others, line(others, "Visual"), "AVGF1").text == ".5000"
    assert "resnet18" not in str(others.lines)


def test_scores_of_another_version_are_refused(tmp_path):
    (tmp_path / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(WaverError, match="cannot be read"):
        read_runs(tmp_path / "scores.parquet", "", [], "", {})


def test_zero_shot_and_fine_tuned_are_told_apart_by_the_run():
    scores = rows("emoclip", "V", "video", n=525, AVGF1=0.45, AP_paper=0.6)
    for kind, filled, empty in (("zero_shot", "zero-shot", "fine-tuned"), ("fine_tuned", "fine-tuned", "zero-shot")):
        table = sheet("2026_table_4", own(scores, kinds=[kind]))
        assert value(table, line(table, "EmoCLIP", filled), "AVGF1").text == ".4500"
        assert value(table, line(table, "EmoCLIP", empty), "AVGF1").text == "–"


def test_splits_are_those_that_were_scored_test_first():
    assert splits_at("frame", [own()]) == ["test", "val"]
    assert splits_at("video", [own()]) == [""]
    text_only = rows("tfidf", "T", "video", "cv", AVGF1=0.6) + rows("all_negative", "", "video", "test", AVGF1=0.3)
    assert splits_at("video", [own(text_only)]) == ["cv"]
    captions = [table.caption for table in paper_tables(layout("2026_table_2"), [own()])]
    assert "validation split" in captions[1]
    nothing = sheet("2026_table_4", own([]))
    assert (nothing.split, nothing.ours) == ("", 0)
    assert "scored no videos" in nothing.caption


SMALL = TableData(
    name="2026_table_2",
    title="A & B",
    split="test",
    caption="5 % of a_b",
    heads=("Model", "Set|up"),
    columns=(Column("AVGF1", "Left", ("", " low", " high")), Column("printed", "Left", ("", " mark")), Column("n")),
    lines=(
        Line(("ours", "x|y"), (Cell(".5123", ".48–.55", (0.51234, 0.48, 0.55)), Cell("–"), Cell("3", values=(3,))), ""),
        Line(("theirs", ""), (Cell("–", note=1), Cell(".4456", "= all-negative", (0.4456, "all-negative"), True),
                              Cell("4", "of 5\nall", (4,))), ""),
        Line(("None", ""), (Cell("–"), Cell("–"), Cell("–")), CONTROLS),
    ),
    notes=("not run: {a: b}",),
    ours=1,
)  # fmt: skip


def test_markdown():
    text = form([SMALL], "md").splitlines()
    assert text[0] == "## A & B"
    assert "| Model | Set\\|up | Left: AVGF1 | Left: printed | n |" in text
    assert "|---|---|---:|---:|---:|" in text
    assert "| ours | x\\|y | .5123 [.48–.55] | – | 3 |" in text
    assert "| theirs |  | – (1) | .4456 [= all-negative] | 4 [of 5; all] |" in text
    assert text.index("| *Controls* |  |  |  |  |") == text.index("| None |  | – | – | – |") - 1
    assert "1. not run: {a: b}" in text


def test_csv_has_numbers_as_they_are():
    found = list(csv.DictReader(io.StringIO(form([SMALL, SMALL], "csv"))))
    assert len(found) == 6
    first, second = found[:2]
    assert (first["Left: AVGF1"], first["Left: AVGF1 low"], first["Left: printed"]) == ("0.51234", "0.48", "")
    assert (second["Left: printed"], second["Left: printed mark"]) == ("0.4456", "all-negative")
    assert second["remark"] == "not run: {a: b}"
    assert {one["split"] for one in found} == {"test"}
    assert found[2]["body"] == "Controls"


FORMULAS = ("=cmd|' /C calc'!A0", "@SUM(A1)", "+1+cmd|' /C calc'!A0", "-2+3+cmd|'/C calc'!A0", "\t=1+1", " =1")


@pytest.mark.parametrize("text", FORMULAS)
def test_text_in_csv_is_no_formula(text):
    line = Line((text, "b"), (Cell("", values=(text, 1, 2)), Cell("", note=1), Cell("")), text)
    hostile = replace(SMALL, lines=(line,), notes=(text,))
    found = next(csv.reader(form([hostile], "csv").splitlines()[1:]))
    assert [value for value in found if value and not value[0].isalnum()] == [f"'{text}"] * 4


@pytest.mark.parametrize("text", ["-0.25", "+3", "–", "-", "−.12", "a=b", "ours"])
def test_numbers_and_plain_text_in_csv_stay(text):
    line = Line((text, "b"), (Cell("", values=(-0.25, 1, 2)), Cell(""), Cell("")), "")
    found = next(csv.reader(form([replace(SMALL, lines=(line,))], "csv").splitlines()[1:]))
    assert found[:5] == [text, "b", "", "test", "-0.25"]


def test_text_in_markdown_is_no_html_and_no_link():
    hostile = "<script>alert(1)</script> <img src=x> [a](javascript:b) p < .05 <!-- <b\n"
    line = Line((hostile, ""), (Cell(hostile, hostile), Cell(""), Cell("")), hostile)
    table = replace(SMALL, title=hostile, caption=hostile, lines=(line,), notes=(hostile,), heads=(hostile, ""))
    text = form([table], "md")
    assert not re.search(r"<[A-Za-z/!?]", text)
    assert "](" not in text
    assert "p < .05" in text


def test_latex_is_balanced_and_escaped():
    text = form([SMALL], "tex")
    assert "\\toprule" in text
    assert text.count("\\midrule") == 2
    assert "\\bottomrule" in text
    assert "A \\& B. 5 \\% of a\\_b" in text
    assert "\\multicolumn{2}{c}{Left}" in text
    assert "\\cmidrule(lr){3-4}" in text
    assert "\\label{tab:2026-table-2-test}" in text
    body = [row for row in text.splitlines() if row.endswith("\\\\") and "multicolumn" not in row]
    assert {row.replace("\\&", "").count("&") for row in body} == {4}
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
    assert tex("a_b {x} <10 % – ≈ 3") == "a\\_b \\{x\\} $<$10 \\% -- $\\approx$ 3"


def test_a_sheet_survives_json():
    import json

    assert TableData.of(json.loads(json.dumps(SMALL.record()))) == SMALL
    assert SMALL.groups == [("Left", 2), ("", 1)]
    assert [body for body, _ in SMALL.bodies] == ["", CONTROLS]
    assert set(FORMS) == {"md", "csv", "tex"}
