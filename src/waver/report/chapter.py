"""The chapter on what can be known without looking at anybody: plain words, figures, tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from waver.report.asked import INTENT, Asked, Share, asked, draw_asked
from waver.report.beside import best_printed, draw_beside, own_split
from waver.report.charts import draw_within
from waver.report.decomposed import draw_decomposition, taken_apart
from waver.report.findings import gaps, inside, verdict
from waver.report.inputs import Material
from waver.report.rule import ruled
from waver.report.standings import Standing, content_free, splits_of, standings
from waver.report.style import Drawn
from waver.report.tables import ShownTable, differences
from waver.report.wording import CONSTANTS, CONTENT_FREE, SPLITS, interval, listed, percent, plural, score

HEADINGS = {"frame": "Frame by frame", "video": "Whole videos"}
RULED = {"frame": "Frame by frame", "participant": "As a mean over participants", "video": "For whole videos"}


@dataclass(frozen=True)
class ChapterPart:
    """What is found at one level.

    Attributes:
        sentences: the result, in words that follow from the numbers.
        tables: differences to the control by split, with a label; the first is shown open.
    """

    heading: str
    sentences: tuple[str, ...]
    figures: tuple[Drawn, ...]
    tables: tuple[tuple[str, ShownTable], ...]


@dataclass(frozen=True)
class Chapter:
    """The whole chapter; ``opening`` are paragraphs, ``rule`` is what stands above the published scores."""

    opening: tuple[str, ...]
    shares: Drawn | None
    parts: tuple[ChapterPart, ...]
    rule: str
    beside: Drawn | None


def chapter(material: Material, folder: Path) -> Chapter | None:
    """The chapter; None where neither questions nor scores are known."""
    found = asked(material)
    parts = [part for level in HEADINGS if (part := _part(material, level, folder)) is not None]
    if found is None and not parts:
        return None
    shares = draw_asked(found, folder) if found else None
    opening = tuple(filter(None, _opening(material, found)))
    if material.demo:
        # people who were made up have no business beside published scores
        return Chapter(opening, shares, tuple(parts), "", None)
    return Chapter(opening, shares, tuple(parts), plainest(material), draw_beside(material, folder))


def _opening(material: Material, found: Asked | None) -> list[str]:
    told = []
    if found is not None:
        told.append(_questions(found))
        told.append(_length(found))
    told.append(
        "So there is a predictor that looks at nobody: it is told the question and the length of the answer and, for "
        "single frames, how far into the answer they are. Nothing else; it never sees, hears or reads the answer. It "
        "is fitted, thresholded and scored on the same people as every model, and is called the content-free control. "
        "A model's score says something about people only as far as it is above that control."
    )
    told += _how_good(material)
    return [*told, _neighbours(material)]


def _questions(found: Asked) -> str:
    order = sorted(found.by_question, key=lambda share: -share.value)
    high, low = order[0], order[-1]
    told = (
        f"Every participant is asked the same {plural(len(order), 'question')}, and whoever asks knows which one it "
        "was. The questions were written to bring out different things. "
        f"After question {_named(high)} {percent(high.value)} of the answers show ambivalence or "
        "hesitancy (A/H)"
    )
    if len(order) > 1:
        told += f", after question {_named(low)} {percent(low.value)}"
    return told + ". Somebody who knows only which question was asked can therefore guess well, about anybody."


def _named(share: Share) -> str:
    meant = INTENT.get(share.question)
    return f"{share.question} (meant to be {meant})" if meant else f"{share.question}"


def _length(found: Asked) -> str:
    if len(found.by_length) < 2:
        return ""
    short, long = found.by_length[0], found.by_length[-1]
    more = "more" if long.low > short.high else "no fewer" if long.value >= short.value else "fewer"
    told = {"more": "Longer answers also hold more A/H", "no fewer": "Longer answers may hold more A/H"}.get(
        more, "Length tells less: longer answers do not hold more A/H"
    )
    return (
        f"{told}: of the shortest fifth (about {short.middle:.0f} {found.unit}) {percent(short.value)} show it, of the "
        f"longest fifth (about {long.middle:.0f} {found.unit}) {percent(long.value)}."
    )


def _how_good(material: Material) -> list[str]:
    told = []
    for level, things in (("frame", "Frame by frame"), ("video", "For whole videos")):
        split = next(iter(splits_of(material.scores, level)), "")
        rows = standings(material.scores, level, split)
        control = content_free(rows)
        if control is None or control.value("AVGF1") is None:
            continue
        constant = _constant(rows)
        found = control.scores["AVGF1"]
        within = interval(found["low"], found["high"], " to ")
        told.append(
            f"{things} ({SPLITS[split]}, {plural(found['participants'], 'participant')}) the control reaches an AVGF1 "
            f"of {score(found['value'])}" + (f" ({within})" if within else "") + constant
        )
    return [". ".join(told) + "."] if told else []


def _neighbours(material: Material) -> str:
    """What participant numbers predict, in words; empty where nothing tells or the people were made up."""
    told = []
    for level, things in (("frame", "for frames"), ("video", "for whole videos")):
        split = next(iter(splits_of(material.scores, level)), "")
        rows = standings(material.scores, level, split)
        pair = [next((row for row in rows if row.method == name), None) for name in ("neighbours", CONTENT_FREE)]
        values = [row.value("AUROC_within") if row else None for row in pair]
        if None not in values:
            told.append(f"{score(values[0])} {things}, where the content-free control has {score(values[1])}")
    if material.demo or not told:
        return ""
    return (
        "One more predictor knows which people have neighbouring participant numbers, and how often they were "
        f"labelled A/H. Its AUROC within questions is {listed(told)}. A number says nothing of a person; where it "
        "predicts, people recorded or annotated one after the other have something in common, and a part of what any "
        "model scores within questions may be that. No model is given an identifier."
    )


def _constant(rows: list[Standing]) -> str:
    values = [row.value("AVGF1") or 0.0 for row in rows if row.method in CONSTANTS]
    return f"; one answer for everything gives {score(max(values))}" if values else ""


def plainest(material: Material) -> str:
    """The two-question rule beside the best published scores, in words; empty where the rule has none."""
    told: list[str] = []
    for level, things in RULED.items():
        split = own_split(material, level)
        found = ruled(material, level, split) if split else None
        if found is None:
            continue
        if not told:
            said = listed([str(question) for question in found.questions])
            told.append(
                f"The plainest predictor of this kind needs no fitting: it says “A/H” after questions {said} and "
                "“none” after all others, from the first frame to the last."
            )
        within = interval(found.low, found.high, " to ")
        told.append(
            f"{things} it scores {score(found.value)}" + (f" ({within})" if within else "") + f" on "
            f"{plural(found.participants, 'person', 'people')} ({SPLITS[split]}); the best published, "
            f"{best_printed(level)}."
        )
    return " ".join([*told, "The papers judged other people, so only large gaps mean anything."]) if told else ""


def _part(material: Material, level: str, folder: Path) -> ChapterPart | None:
    splits = splits_of(material.scores, level)
    if not splits:
        return None
    first = splits[0]
    rows = standings(material.scores, level, first)
    if all(row.control for row in rows):
        return None
    figures = [
        draw_decomposition(taken_apart(material.decomposition, level, first), level, first, folder),
        draw_within(rows, level, first, folder),
    ]
    tables = [
        (SPLITS[split].capitalize(), table)
        for split in splits
        if (table := differences(material.comparisons, level, split)) is not None
    ]
    if level == "frame":
        tables += [
            (f"{SPLITS[split].capitalize()}, mean over participants", table)
            for split in splits_of(material.scores, "participant")
            if (table := differences(material.comparisons, "participant", split)) is not None
        ]
    told = [_result(material, level, split) for split in splits if split != "val" or split == first]
    told.append(inside(rows, gaps(material.comparisons, level, first, "AUROC_within")))
    return ChapterPart(HEADINGS[level], tuple(filter(None, told)), tuple(filter(None, figures)), tuple(tables))


def _result(material: Material, level: str, split: str) -> str:
    told = verdict(gaps(material.comparisons, level, split))
    return f"{SPLITS[split].capitalize()}: {told}" if told else ""
