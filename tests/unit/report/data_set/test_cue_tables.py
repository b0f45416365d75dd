"""Tables of what models and rules point at, as the page shows them."""

from types import SimpleNamespace

import numpy as np

from waver.evaluation.cue_agreement import ALL, CUE_SCORES
from waver.evaluation.cue_shares import CueShare
from waver.report.data_set.cue_scores import cue_tables
from waver.report.data_set.cues_figures import of_people

KNOWN = {"segments": 9, "participants": 7, "annotated": 4, "found": 5, "both": 3, "precision": 0.6, "low": 0.4,
         "high": 0.8, "chance": 0.5, "chance_of_person": 0.45, "gain": 0.1, "gain_low": -0.05, "gain_high": 0.2,
         "recall": 0.75}  # fmt: skip
RULES = {"source": "textualisation", "modalities": "", "split": "all", "seeds": 0}
MODEL = {"source": "conflict", "modalities": "VAT", "seeds": 3, "channel": "inconsistencies"}


def hidden(row):
    return dict.fromkeys(CUE_SCORES.names, None) | row


def shown(told=(), explained=()):
    tables, more = cue_tables(SimpleNamespace(cue_scores=list(told), explained_cues=list(explained)))
    return dict([*tables, *more])


def cells(table, name):
    row = next(row for row in table.methods if row.name == name)
    return dict(zip(table.heads, row.cells, strict=True))


def test_cues_of_few_people_are_left_out_and_those_never_annotated_named():
    rows = [{**RULES, **KNOWN, "channel": "", "cue": ALL},
            {**RULES, **KNOWN, "channel": "audio", "cue": "Slow"},
            {**RULES, **KNOWN, "channel": "body", "cue": "Nod", "annotated": 0, "both": 0, "recall": None},
            hidden({**RULES, "channel": "body", "cue": "Tilt", "segments": 9})]  # fmt: skip
    (table,) = shown(told=rows).values()
    assert table.first == "Cue"
    assert [(row.name, row.note) for row in table.methods] == [("All cues", ""), ("Slow", "voice")]
    slow = cells(table, "Slow")
    assert (slow["Precision"].text, slow["Precision"].below) == (".600", ".40–.80")
    assert (slow["Chance, same question"].text, slow["Above chance"].text) == (".500", "+.100")
    assert slow["Above chance"].below == "−.05 to .20"
    assert table.caption.endswith("Found and never annotated here: Nod (5).")


def test_a_count_that_is_withheld_is_a_dash_in_its_row():
    """Segments in which a cue can be found, where the other segments are of few people."""
    (table,) = shown(told=[{**RULES, **KNOWN, "channel": "audio", "cue": "Slow", "segments": None}]).values()
    slow = cells(table, "Slow")
    assert (slow["Segments"].text, slow["Annotated"].text, slow["Precision"].text) == ("–", "4", ".600")


def test_models_stand_with_all_pairs_and_each_pair_in_words():
    rows = [{**MODEL, **KNOWN, "split": split, "cue": cue} for split in ("val", "test")
            for cue in (ALL, "text+visual", "audio+text")]  # fmt: skip
    tables = shown(explained=rows)
    assert list(tables) == ["What models point at", "What models point at, by pair"]
    assert [(row.name, row.note) for row in tables["What models point at"].methods] == [
        ("Conflict model V+A+T", "3 seeds")
    ]
    assert [row.name for row in tables["What models point at, by pair"].methods] == [
        "picture and words", "voice and words",
    ]  # fmt: skip
    assert tables["What models point at"].caption.startswith("Test split: of each segment")


def test_variants_are_named_as_on_the_rest_of_the_page():
    names = ("conflict", "conflict.no_gates", "conflict.cue_loss")
    rows = [{**MODEL, **KNOWN, "split": "test", "cue": cue, "source": source} for source in names
            for cue in (ALL, "audio+text")]  # fmt: skip
    model, without, loss = [f"Conflict model V+A+T{end}" for end in ("", " without gates", ", cue loss")]
    tables = shown(explained=rows)
    assert [row.name for row in tables["What models point at"].methods] == [model, without, loss]
    assert [row.note for row in tables["What models point at, by pair"].methods] == [model, without, loss]


def test_nothing_told_is_no_table():
    row = hidden({**MODEL, "split": "val", "cue": ALL, "segments": 2})
    assert shown(explained=[row]) == {}
    assert shown(told=[{**RULES, **KNOWN, "channel": "body", "cue": "Nod", "annotated": 0}]) == {}


def test_how_many_people_show_a_cue_is_told_where_no_few_stand_apart():
    shares = [CueShare("facial: Smile", 0.5, 0.4, 0.6, people) for people in (20, 18, 15, 5)]
    few = CueShare("facial: Frown", np.nan, np.nan, np.nan, 4)
    assert of_people([*shares, few], 20, 5) == [" (20)", "", " (15)", " (5)", ""]
