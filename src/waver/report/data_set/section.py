"""The page's sections on the data set: figures of the dataset paper's data section, and the annotators' cues."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from waver.evaluation.cue_shares import annotated_segments, cue_shares
from waver.report.data import Material
from waver.report.data_set.answers_figure import draw_answers, draw_segments
from waver.report.data_set.cue_scores import cue_tables
from waver.report.data_set.cues_figures import draw_conflict, draw_cues
from waver.report.data_set.facts import PRINTED_OF, Fact, discloses_ah, facts, spans_of, videos_per_participant
from waver.report.data_set.groups import people_by_statement
from waver.report.data_set.people_figure import draw_people
from waver.report.figures.style import Drawn
from waver.report.papers.published import releases
from waver.report.papers.release_counts import LAYOUTS
from waver.report.tables.results import ShownTable


@dataclass(frozen=True)
class DataSetSection:
    """What the section holds.

    Attributes:
        facts: figures, with those that the paper prints.
        printed_of: which release the printed figures are of; empty where none is shown.
        figures: drawings.
    """

    facts: tuple[Fact, ...]
    printed_of: str
    figures: tuple[Drawn, ...]


@dataclass(frozen=True)
class CuesSection:
    """What the section on cues holds.

    Attributes:
        figures: of what annotators name.
        tables: (heading, table) of what models and rules point at.
        more: the same of each pair of modalities alone.
    """

    figures: tuple[Drawn, ...]
    tables: list[tuple[str, ShownTable]]
    more: list[tuple[str, ShownTable]]

    @property
    def any(self) -> bool:
        """Whether it holds anything."""
        return bool(self.figures or self.tables)


def cues_section(material: Material, folder: Path) -> CuesSection:
    """The annotators' cues; no figure where fewer than ``evaluate.least_group`` people have segments with any.

    Args:
        material: the report's inputs.
        folder: of the figures.
    """
    shares = cue_shares(annotated_segments(material.segments, material.answers), material.config.evaluate)
    tables = cue_tables(material)
    if shares is None:
        return CuesSection((), *tables)
    least = material.config.evaluate.least_group
    drawn = (draw_cues(shares, least, folder), draw_conflict(shares, material.questions, least, folder))
    return CuesSection(tuple(figure for figure in drawn if figure is not None), *tables)


def data_set_section(material: Material, folder: Path) -> DataSetSection:
    """Statistics of everything that is listed; figures of few people are not told.

    Args:
        material: the report's inputs.
        folder: of the figures.
    """
    least = material.config.evaluate.least_group
    a_release = material.layout in LAYOUTS
    release = releases()[PRINTED_OF]
    people = people_by_statement(material.participants, least)
    of_people = videos_per_participant(material.answers, least)
    figures = (
        draw_people(people, release["people"] if a_release else {}, least, folder),
        draw_answers(material.answers, of_people, material.questions, least, folder),
        draw_segments(spans_of(material), least, folder) if discloses_ah(material) else None,
    )
    return DataSetSection(
        facts=tuple(facts(material)),
        printed_of=f"release of {PRINTED_OF}, {release['described_in']}" if a_release else "",
        figures=tuple(figure for figure in figures if figure is not None),
    )
