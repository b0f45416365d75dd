"""What the command says: of the model, of each recording, and at the end. Plain words; never a bare yes or no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.predict.trained import Trained

LIMITS = (
    "These are weak hints for research, for a person to look at; not for decisions about employment, education, "
    "policing or insurance."
)


def about_model(trained: Trained) -> str:
    """Which model predicts, why this one, and what it decides by."""
    decisions = trained.decisions
    wrong = "none is left" if decisions.wrong is None else f"{decisions.wrong:.0%} of the others are on the wrong side"
    return (
        f"model {trained.name} of {trained.run}: {trained.chosen}\n"
        f"unclear from {decisions.bands.low:.2f}, likely from {decisions.bands.high:.2f}, chosen on "
        f"{decisions.videos} recordings of val: {decisions.unclear:.0%} of them are unclear, {wrong}"
    )


def about_recording(row: Mapping[str, Any]) -> str:
    """What is said of a recording, with what a look at nobody says."""
    said = f"{row['recording']}: {row['band']} ({row['p_video']:.2f})"
    if row["masked"]:
        said += f"; without {row['masked'].replace(',', ', ')}"
    if chosen := [note for note in row["notes"].split("; ") if note.startswith("sound of track")]:
        said += f"; {chosen[0]}"
    return f"{said}; {about_controls(row)}"


def about_controls(row: Mapping[str, Any]) -> str:
    """What the question alone, and what question, length and number of words say."""
    if row["question"] is None:
        return "the question is not known, so that there is no control; give --question"
    if row["p_content_free"] is None:
        return "the model has no controls"
    same = ", the same without a look at the recording" if row["guess_says_the_same"] else ""
    known = "question and length" if row["words"] is None else "question, length and number of words"
    return (
        f"the question alone says {row['question_only_says']} ({row['p_question_only']:.2f}){same}; "
        f"{known} say {row['content_free_says']} ({row['p_content_free']:.2f})"
    )


def closing(set_aside: Sequence[Mapping[str, Any]], names: Mapping[str, str], out: Path) -> Iterator[str]:
    """What could not be used and what to do, and where the results are.

    Args:
        set_aside: rows (SET_ASIDE); the path of what is no recording is the user's.
        names: recording -> name of the user's file, which is told to the user alone and written nowhere.
        out: output folder.
    """
    if set_aside:
        yield f"{len(set_aside)} not used, or not as given:"
    for row in set_aside:
        item = row["item"]
        name = names.get(item) or row["path"]
        yield f"  {item}{f' ({_shown(name)})' if name else ''}: {row['reason']}; {row['remedy']}"
    yield LIMITS
    yield f"results: {out}"


def _shown(name: str) -> str:
    """A name of a file that a terminal shows on one line, whatever bytes it has."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)
