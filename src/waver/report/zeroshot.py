"""The chapter of language models: what was asked and how, what the answers are worth, and what is published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from waver.evaluation.groups import EVERYONE
from waver.report.data import Material
from waver.report.formatting import (
    LANGUAGES,
    SPLITS,
    count,
    interval,
    listed,
    method_name,
    percent,
    plural,
    prompted_name,
    score,
)
from waver.report.papers.prompted_cells import cell_table, plain_statement, prompted_cells
from waver.report.ranking import MethodScores, ranked_methods
from waver.report.tables.results import ShownCell, ShownRow, ShownTable, existing
from waver.zeroshot.prompts.prompt_set import read_prompts, shipped_sets
from waver.zeroshot.records import RANDOM, Condition

Row = dict[str, Any]

NOTHING = ShownCell("–", "", float("-inf"))
LEVELS = ("video", "frame")
"""In the order of the chapter: most was published of whole videos."""
ORDERS = "Differs by order"
_OF_ORDERS = f"{ORDERS}: answers that are another one where the options stand in the other order. "
_CONTROLS = ("all_negative", "all_positive", "question_prior", "content_free")


class Chapter(NamedTuple):
    """What the page says of language models.

    Attributes:
        opening: paragraphs before the tables.
        tables: (heading, table) of this run, of each level the split to show first.
        more: those of the other splits, and languages.
        prompts: (set, its (id, label, text)) of the prompts that Waver brings.
        published: (paragraph, table) of the published scores at each level.
    """

    opening: list[str]
    tables: list[tuple[str, ShownTable]]
    more: list[tuple[str, ShownTable]]
    prompts: list[tuple[str, list[tuple[str, str, str]]]]
    published: list[tuple[str, ShownTable]]


def zero_shot_chapter(material: Material) -> Chapter | None:
    """The chapter; None where no model was asked."""
    if not material.conditions:
        return None
    first: list[tuple[str, ShownTable]] = []
    others: list[tuple[str, ShownTable | None]] = []
    for level in LEVELS:
        scored = {row["split"] for row in material.conditions if row["level"] == level}
        shown = [split for split in ("test", "cv", "val") if split in scored]
        tables = {f"{level.capitalize()}s, {SPLITS[split]}": _table(material, level, split) for split in shown}
        first += list(tables.items())[:1]
        others += list(tables.items())[1:]
    return Chapter(
        opening=_opening(material.conditions),
        tables=first,
        more=existing(*others, ("By language", _by_language(material))),
        prompts=_prompts(material.conditions),
        published=[(plain_statement(prompted_cells(level)), cell_table(level)) for level in LEVELS],
    )


def _opening(conditions: Sequence[Row]) -> list[str]:
    models = {row["model"]: row["weights"] for row in conditions}
    # a calibration makes no calls of its own
    calls = sum({(row["model"], row["prompt"], row["window"]): row["calls"] for row in conditions}.values())
    about = (
        f"{plural(len(models), 'model was', 'models were')} asked in {count(calls)} calls whether a video, or a window "
        "of its frames, shows A/H. Compare each line with the controls below it: the question that a person was "
        "asked predicts a good deal of the answer."
    )
    methods = {row["method"] for row in conditions}
    collapsed = {row["method"] for row in conditions if row["collapsed"]}
    same = (
        f"{count(len(collapsed))} of {plural(len(methods), 'condition')} collapsed in a split or at a level: at a "
        "probability of .5 under 2 % of the items get one of the two answers, and AVGF1 is that of a constant. The "
        "threshold of val shows what the probabilities hold; it is chosen on val, and held for test."
    )
    return [*_of_weights(models), about, same]


def _of_weights(models: Mapping[str, str]) -> Iterator[str]:
    """What may be concluded from scores of such weights; model -> where its weights come from."""
    named = {kind: listed(sorted(prompted_name(model) for model, one in models.items() if one == kind))
             for kind in models.values()}  # fmt: skip
    if RANDOM in named:
        yield (
            f"{named[RANDOM]}: a small network with random weights. Its lines show that the pipeline runs; its "
            "scores are worth nothing."
        )
    if "packaged" in named:
        yield f"{named['packaged']}: a small model out of an installed package, and none of the papers'."


# this run -------------------------------------------------------------------------------------------
def _table(material: Material, level: str, split: str) -> ShownTable:
    rows = [row for row in material.conditions if (row["level"], row["split"]) == (level, split)]
    scores = {(one.method, one.modalities): one for one in ranked_methods(material.scores, level, split)}
    rows.sort(key=lambda row: (row["model"], row["window"] or 0, row["prompt"], row["calibration"]))
    orders = any(row["order_disagreement"] is not None for row in rows)
    heads = ("AVGF1", "AVGF1, threshold of val", "AP", "Within-question AUROC", "Predicted A/H",
             "Predicted A/H, threshold of val", "Label mass", "Unparsable", *[ORDERS] * orders, "Calls")  # fmt: skip
    common = [part for part in _how(rows[0]) if all(part in _how(row) for row in rows)]
    controls = [scores[name, ""] for name in _CONTROLS if (name, "") in scores]
    return ShownTable(
        caption=_caption(rows, level, split, common, orders),
        heads=heads,
        methods=tuple(_line(row, scores.get((row["method"], row["modalities"])), common, orders) for row in rows),
        controls=tuple(_control(one, len(heads)) for one in controls),
    )


def _caption(rows: Sequence[Row], level: str, split: str, common: Sequence[str], orders: bool) -> str:
    first = rows[0]
    people = plural(first["participants"], "participant")
    alike = f" All lines: {'; '.join(common)}." if common else ""
    return (
        f"{SPLITS[split].capitalize()}: {people}, {plural(first['n'], level)}.{alike} Below a score: its 95 % interval "
        "over participants. Label mass: median probability that the model writes one of the two answers at all; where "
        "it is low, the prompt does not fit the model. Unparsable: written answers that are neither of the two. "
        f"{_OF_ORDERS * orders}Calls: of all splits; below them seconds and tokens of a call."
    )


def _how(row: Row) -> list[str]:
    """How a model was asked, as few words each."""
    calibrated = "" if row["calibration"] == "none" else f", {row['calibration']} calibration"
    return [
        "whole videos" if row["window"] is None else "windows of " + plural(row["window"], "frame"),
        f"prompts {row['prompt_set']}",
        f"transcript {row['transcript']}" if row["transcript"] else "no transcript",
        f"answers by {row['answers']}{calibrated}",
        f"weights {row['weights']}" + ("" if row["quantisation"] == "none" else f", {row['quantisation']}"),
    ]


def _line(row: Row, scored: MethodScores | None, common: Collection[str], orders: bool) -> ShownRow:
    cells = (
        _number(row["AVGF1"], interval(row["low"], row["high"])),
        _number(row["AVGF1_tuned"], _tuned(row)),
        _scored(scored, "AP"),
        _scored(scored, "AUROC_within"),
        _number(row["positive_share"], "collapsed" if row["collapsed"] else "", _share),
        _number(row["positive_share_tuned"], "", _share),
        _number(row["label_mass"], "", _share),
        _number(row["unparsable"], "", _share),
        *[_number(row["order_disagreement"], "", _share)] * orders,
        ShownCell(count(row["calls"]), _cost(row), float(row["calls"])),
    )
    return ShownRow(
        f"{prompted_name(row['model'])}, {row['label']}",
        "; ".join(part for part in _how(row) if part not in common),
        False,
        cells,
    )


def _number(value: float | None, below: str = "", text: Callable[[float], str] = score) -> ShownCell:
    return NOTHING if value is None else ShownCell(text(value), below, value)


def _share(part: float) -> str:
    return f"{100 * part:.1f} %" if part else percent(0)


def _tuned(row: Row) -> str:
    bounds = interval(row["low_tuned"], row["high_tuned"])
    return "\n".join(
        filter(None, [bounds, f"above {score(row['threshold'], 2)}" if row["threshold"] is not None else ""])
    )


def _cost(row: Row) -> str:
    seconds, tokens = row["seconds_per_call"], row["tokens_per_call"]
    parts = ["" if seconds is None else f"{seconds:.2g} s", "" if tokens is None else f"{count(round(tokens))} tokens"]
    return "\n".join(filter(None, parts))


def _scored(scored: MethodScores | None, metric: str) -> ShownCell:
    value = None if scored is None else scored.value(metric)
    if scored is None or value is None:
        return NOTHING
    found = scored.scores[metric]
    return ShownCell(score(value), interval(found["low"], found["high"]), value)


def _control(scored: MethodScores, columns: int) -> ShownRow:
    about = scored.any
    called = about["predicted_positives"]
    share = None if called is None or not about["n"] else called / about["n"]
    cells = [_scored(scored, "AVGF1"), NOTHING, _scored(scored, "AP"), _scored(scored, "AUROC_within")]
    cells.append(_number(share, "", _share))
    return ShownRow(scored.name, "", True, (*cells, *[NOTHING] * (columns - len(cells))))


# by language ----------------------------------------------------------------------------------------
def _by_language(material: Material) -> ShownTable | None:
    """AVGF1 of the videos in each language; None where one language alone has scores."""
    rows = [row for row in material.scores if row["level"] == "video" and row["metric"] == "AVGF1" and _shown(row)]
    split = next((name for name in ("test", *SPLITS) if any(row["split"] == name for row in rows)), "")
    here = [row for row in rows if row["split"] == split]
    groups = {row["group"] for row in here if row["value"] is not None}
    languages = sorted(group for group in groups if group.startswith("language="))
    if len(languages) < 2:
        return None
    methods = dict.fromkeys((row["method"], row["modalities"]) for row in here)
    known = {(row["method"], row["modalities"], row["group"]): row for row in here}
    lines = [
        ShownRow(method_name(*method), "", Condition.of(method[0]) is None,
                 tuple(_grouped(known.get((*method, group))) for group in (EVERYONE, *languages)))
        for method in methods
    ]  # fmt: skip
    codes = [group.partition("=")[2] for group in languages]
    return ShownTable(
        caption=f"Videos, {SPLITS[split]}: AVGF1 by the language that is spoken. The prompts are English.",
        heads=("Everyone", *(LANGUAGES.get(code, code) for code in codes)),
        methods=tuple(line for line in lines if not line.control),
        controls=tuple(line for line in lines if line.control),
    )


def _shown(row: Row) -> bool:
    return row["protocol"] == "standard" and (Condition.of(row["method"]) is not None or row["method"] in _CONTROLS)


def _grouped(row: Row | None) -> ShownCell:
    return NOTHING if row is None else _number(row["value"], interval(row["low"], row["high"]))


# prompts --------------------------------------------------------------------------------------------
def _prompts(conditions: Sequence[Row]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Texts of the prompts that were asked, of the sets that Waver brings; a user's own stay off the page."""
    used = {(row["prompt_set"], row["prompt"]) for row in conditions}
    found = []
    for name in shipped_sets():
        texts = [(prompt, one.label, one.orders()[0][0].text) for prompt, one in read_prompts(name).prompts.items()
                 if (name, prompt) in used]  # fmt: skip
        found += [(name, texts)] if texts else []
    return found
