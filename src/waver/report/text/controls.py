"""The page's section on the content-free control: sentences, figures, tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from waver.datasets.questions import Questions
from waver.evaluation.prevalence import Prevalence, Share, prevalence_of
from waver.report.data import Material
from waver.report.figures.by_question import draw_prevalence
from waver.report.figures.decomposition import decomposed_scores, draw_decomposition
from waver.report.figures.published_scores import best_printed, draw_published, own_split, rule_score
from waver.report.figures.score_charts import draw_within
from waver.report.figures.style import Drawn
from waver.report.formatting import CONTENT_FREE, LEVELS, SPLITS, interval, is_constant, listed, percent, plural, score
from waver.report.ranking import MethodScores, content_free, ranked_methods, scored_splits
from waver.report.tables.differences import differences
from waver.report.tables.results import ShownTable
from waver.report.text.findings import gaps, inside, verdict

RULED = {"frame": "Frames", "participant": "Frames, mean over participants", "video": "Videos"}


@dataclass(frozen=True)
class LevelFindings:
    """The comparison with the control at one level.

    Attributes:
        sentences: the result, which follows from the numbers.
        tables: differences to the control by split, with a label; the first is shown open.
    """

    heading: str
    sentences: tuple[str, ...]
    figures: tuple[Drawn, ...]
    tables: tuple[tuple[str, ShownTable], ...]


@dataclass(frozen=True)
class ControlSection:
    """The section; ``opening`` are paragraphs, ``rule`` stands above the published scores."""

    opening: tuple[str, ...]
    shares: Drawn | None
    parts: tuple[LevelFindings, ...]
    rule: str
    published: Drawn | None


def control_section(material: Material, folder: Path) -> ControlSection | None:
    """The section; None where neither questions nor scores are known."""
    found = prevalence_of(material.answers, material.config.evaluate)
    parts = [part for level in ("frame", "video") if (part := _part(material, level, folder)) is not None]
    if found is None and not parts:
        return None
    shares = draw_prevalence(found, folder, material.questions) if found else None
    opening = tuple(filter(None, _opening(material, found)))
    if material.demo:
        # synthetic people do not compare with published scores
        return ControlSection(opening, shares, tuple(parts), "", None)
    return ControlSection(opening, shares, tuple(parts), plainest(material), draw_published(material, folder))


def _opening(material: Material, found: Prevalence | None) -> list[str]:
    text = []
    if found is not None:
        text.append(_questions(found, material.questions))
        text.append(_length(found))
    text.append(
        "Therefore every table has a content-free control: a predictor that knows the question, the length of the "
        "answer and, for single frames, their position in the answer. It never sees, hears or reads the answer. It is "
        "fitted, thresholded and scored on the same people as every model. A model's score says something about people "
        "only as far as it is above this control."
    )
    text += _how_good(material)
    return [*text, _neighbours(material)]


def _questions(found: Prevalence, questions: Questions) -> str:
    order = sorted(found.by_question, key=lambda share: -share.value)
    high, low = order[0], order[-1]
    designed = any(questions.response(share.question) for share in order)
    designs = ", which are designed to elicit different attitudes" if designed else ""
    text = (
        f"Participants answer the same questions{designs}. "
        f"After question {_named(high, questions)} {percent(high.value)} of the answers show ambivalence or "
        "hesitancy (A/H)"
    )
    if len(order) > 1:
        text += f", after question {_named(low, questions)} {percent(low.value)}"
    return text + ". So the question alone predicts A/H, of anybody."


def _named(share: Share, questions: Questions) -> str:
    meant = questions.response(share.question)
    return f"{share.question} (designed as {meant})" if meant else f"{share.question}"


def _length(found: Prevalence) -> str:
    if len(found.by_length) < 2:
        return ""
    short, long = found.by_length[0], found.by_length[-1]
    more = "more" if long.low > short.high else "no fewer" if long.value >= short.value else "fewer"
    text = {"more": "Longer answers also hold more A/H", "no fewer": "Longer answers may hold more A/H"}.get(
        more, "The length predicts less: longer answers do not hold more A/H"
    )
    return (
        f"{text}: {percent(short.value)} of answers of about {short.middle:.0f} {found.unit} show it, "
        f"{percent(long.value)} of those of about {long.middle:.0f}."
    )


def _how_good(material: Material) -> list[str]:
    text = []
    for level in ("frame", "video"):
        split = next(iter(scored_splits(material.scores, level)), "")
        rows = ranked_methods(material.scores, level, split)
        control = content_free(rows)
        if control is None or control.value("AVGF1") is None:
            continue
        constant = _constant(rows)
        found = control.scores["AVGF1"]
        within = interval(found["low"], found["high"], " to ")
        text.append(
            f"{LEVELS[level]} ({SPLITS[split]}, {plural(found['participants'], 'participant')}): the control reaches "
            f"an AVGF1 of {score(found['value'])}" + (f" ({within})" if within else "") + constant
        )
    return [". ".join(text) + "."] if text else []


def _neighbours(material: Material) -> str:
    """What participant numbers predict; empty where this is unknown or the people are synthetic."""
    text = []
    for level, unit in (("frame", "for frames"), ("video", "for videos")):
        split = next(iter(scored_splits(material.scores, level)), "")
        rows = ranked_methods(material.scores, level, split)
        pair = [next((row for row in rows if row.method == name), None) for name in ("neighbours", CONTENT_FREE)]
        values = [row.value("AUROC_within") if row else None for row in pair]
        if None not in values:
            text.append(f"{score(values[0])} {unit} (content-free control: {score(values[1])})")
    if material.demo or not text:
        return ""
    return (
        "One more control knows which people have neighbouring participant numbers, and how often those people are "
        f"labelled A/H. Its AUROC within questions is {listed(text)}. A number says nothing about a person; where it "
        "predicts A/H, people who were recorded or annotated one after the other have something in common, and a part "
        "of any model's score within questions may come from that. No model receives an identifier."
        f"{_held_out(material)}"
    )


def _held_out(material: Material) -> str:
    """Who is held out together, which decides how many neighbours a model saw; empty without cross-validation."""
    if material.config.folds < 2:
        return ""
    if material.config.folding == "numbers":
        return (
            " In the cross-validation of this run, people with neighbouring numbers are held out together "
            "(train.folding: numbers): only those at the edges of a fold have neighbours whom a model was fitted on."
        )
    return (
        " In the cross-validation of this run, people are held out at random: models were fitted on neighbours of "
        "those whom they are scored on. A run with train.folding: numbers shows what remains without them."
    )


def _constant(rows: list[MethodScores]) -> str:
    values = [row.value("AVGF1") or 0.0 for row in rows if is_constant(row.method)]
    return f"; one answer for everything gives {score(max(values))}" if values else ""


def plainest(material: Material) -> str:
    """The two-question rule next to the best published scores; empty where the rule has no score."""
    text: list[str] = []
    for level, unit in RULED.items():
        split = own_split(material, level)
        found = rule_score(material, level, split) if split else None
        if found is None:
            continue
        if not text:
            questions = listed([str(question) for question in found.questions])
            text.append(
                f"The simplest content-free predictor needs no fitting: it predicts A/H after questions {questions} "
                "and no A/H after all others, from the first frame to the last."
            )
        within = interval(found.low, found.high, " to ")
        text.append(
            f"{unit}: it scores {score(found.value)}" + (f" ({within})" if within else "") + f" on "
            f"{plural(found.participants, 'person', 'people')} ({SPLITS[split]}); the best published, "
            f"{best_printed(level)}."
        )
    return (
        " ".join([*text, "The papers evaluate other people, so only large differences mean anything."]) if text else ""
    )


def _part(material: Material, level: str, folder: Path) -> LevelFindings | None:
    splits = scored_splits(material.scores, level)
    if not splits:
        return None
    first = splits[0]
    rows = ranked_methods(material.scores, level, first)
    if all(row.control for row in rows):
        return None
    figures = [
        draw_decomposition(decomposed_scores(material.decomposition, level, first), level, first, folder),
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
            for split in scored_splits(material.scores, "participant")
            if (table := differences(material.comparisons, "participant", split)) is not None
        ]
    text = [_result(material, level, split) for split in splits if split != "val" or split == first]
    text.append(inside(rows, gaps(material.comparisons, level, first, "AUROC_within")))
    return LevelFindings(LEVELS[level], tuple(filter(None, text)), tuple(filter(None, figures)), tuple(tables))


def _result(material: Material, level: str, split: str) -> str:
    text = verdict(gaps(material.comparisons, level, split))
    return f"{SPLITS[split].capitalize()}: {text}" if text else ""
