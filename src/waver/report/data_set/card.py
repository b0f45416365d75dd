"""The data card: what the data set is, who is in it, what it may be used for; no data of any participant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from waver.io.atomic import atomic_write
from waver.report.consent_gate import Gate
from waver.report.data import Material
from waver.report.data_set.croissant import About, describe_store
from waver.report.data_set.facts import Fact, facts
from waver.report.data_set.groups import people_by_statement
from waver.report.text.facts import languages, split_counts, texts

LICENCE = "EULA, not redistributable"
"""Licence of BAH; the agreement is made with its authors."""
LICENCES = {
    "bah": LICENCE,
    "demo": "synthetic; portraits and voices under the licences in NOTICE",
    "": "that of the data set, which Waver does not know; treat it as not redistributable",
}
"""Licence of what was recorded, by whose data set it is."""
PAGES = {
    "bah": "https://github.com/sbelharbi/bah-dataset",
    "demo": "https://arxiv.org/abs/2505.19328",
    "": "https://arxiv.org/abs/2505.19328",
}
"""Web page of the data set; where it has none that Waver knows, that of the paper whose layout and questions it has."""
CREATORS = {
    "bah": ("LIVIA, ETS Montreal", "Concordia University", "Montreal Behavioural Medicine Centre"),
    "demo": ("The Waver developers",),
    "": ("those who made the data set, whom Waver does not know",),
}


def write_card(material: Material, gate: Gate, card: Path, croissant: Path) -> None:
    """Write the data card as Markdown and the description of the derived store as Croissant JSON-LD.

    Args:
        material: the report's inputs.
        gate: refuses a text that names or quotes somebody.
        card: Markdown file to write.
        croissant: JSON file to write.

    Raises:
        WaverError: a text would name or quote a participant.
    """
    written = {card: card_text(material), croissant: croissant_text(material)}
    for text in written.values():
        # whoever reads a question out says its words, but the words are the data set's
        gate.check(text.replace(question_list(material), ""))
    for path, text in written.items():
        with atomic_write(path) as file:
            file.write_text(text, encoding="utf-8")


def _whose(material: Material) -> str:
    return "demo" if material.demo else "bah" if material.layout else ""


def licence(material: Material) -> str:
    """Licence of the recordings and of all that is derived from them."""
    return LICENCES[_whose(material)]


def croissant_text(material: Material) -> str:
    """The derived store in Croissant 1.0."""
    inputs = material.inputs
    tables = {
        "participants": inputs.participants, "videos": inputs.videos, "segments": inputs.segments,
        "set_aside": inputs.set_aside,
    }  # fmt: skip
    whose = _whose(material)
    about = About(
        material.config.dataset, _what(material), licence(material), PAGES[whose], CREATORS[whose], texts()["bibtex"]
    )
    return describe_store(about, tables, list(material.features))


def card_text(material: Material) -> str:
    """The card in Markdown."""
    least = material.config.evaluate.least_group
    counts = split_counts(material)
    groups = [
        (grouping.title, group.name, group.text)
        for grouping in people_by_statement(material.participants, least)
        for group in grouping.groups
    ]
    parts = [
        f"# Data card: {material.config.dataset}",
        _what(material),
        f"**Licence:** {licence(material)}. What Waver derives from the recordings (tables, stores, packs, models) is "
        "under the same terms.",
        "**Intended use:** research. Not for employment, education, policing or insurance, and never a verdict on a "
        "person without human review.",
        "## Splits\n",
        _table(("Split", "Participants", "Videos", "with A/H", "Frames", "with A/H", "Length"), counts),
        f"Languages: {languages(material)}. No participant is in two splits.",
        "## Figures\n",
        _table(("Figure", "This data"), [_of_fact(fact) for fact in facts(material)]),
        f"± is the standard deviation. Nothing is told of fewer than {least} people.",
        "## Participants\n",
        _table(("Stated", "Group", "People"), groups),
        "Who did not consent to publication, or whose consent is unknown, is in aggregates only.",
        "## Questions\n",
        question_list(material),
        "## Annotation\n",
        "One annotator watches each video, marks where A/H starts and ends, rates how certain that is, and names for "
        "some segments the cues of a codebook. There is no systematic check between annotators, and they know the "
        "question (dataset paper, sections 3.1 and 5, appendix D)." if material.layout else
        "Labels, certainty and cues are those that the data set gives.",
        "## Citation\n",
        f"```bibtex\n{texts()['bibtex'].strip()}\n```",
    ]  # fmt: skip
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _what(material: Material) -> str:
    whose = "Synthetic recordings" if material.demo else "Recordings" if material.recorded else "Transcripts"
    return (
        f"{whose} of people who answer questions about their behaviour, with labels of ambivalence and hesitancy, "
        "and what Waver derives from them: tables, stores of features, aligned packs."
    )


def _of_fact(fact: Fact) -> tuple[str, str]:
    return fact.name, fact.yours


def question_list(material: Material) -> str:
    """The questions of the data set, a line each."""
    texts_of = [(number, material.questions.text(number)) for number in range(1, material.questions.count + 1)]
    known = [f"{number}. {text}" for number, text in texts_of if text]
    return "\n".join(known) or "The data set does not say what was asked."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
