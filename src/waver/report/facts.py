"""What ran on what: counts, languages, decoders, models, and the page's standing texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

import waver
from waver.provenance import versions
from waver.report.aside import notes
from waver.report.gate import Gate
from waver.report.inputs import Material, Row
from waver.report.standings import splits_of, standings
from waver.report.wording import LANGUAGES, SPLITS, count, is_control, listed, plural, share, span

TEXTS = Path(__file__).with_name("texts.yaml")


def texts() -> Row:
    """The page's standing texts: ``meanings`` of the numbers, ``bibtex``."""
    loaded: Row = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return loaded


def split_counts(material: Material) -> list[tuple[str, ...]]:
    """Rows (split, participants, videos, with A/H, frames, with A/H, length).

    Videos are those that reached the packs; of a data set without video files, all that are listed: they
    are judged by what was said, whether or not anything is known of their frames.
    """
    listed_rows = material.used if material.recorded else _answered(material)
    parts = [(split, [row for row in listed_rows if row["split"] == split]) for split in ("train", "val", "test")]
    return [_counts(name, part) for name, part in [*parts, ("all", listed_rows)] if part]


def _answered(material: Material) -> list[Row]:
    """The answers with what is known of their frames."""
    packed = {row["video"]: row for row in material.used}
    nothing = {"labelled": False, "frames": 0, "positive_frames": 0}
    rows = [{**nothing, **packed.get(row["video"], {}), **row} for row in material.answers]
    return [{**row, "duration_s": row["duration_s"] or 0.0} for row in rows]


def _counts(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    labelled = [row for row in rows if row["labelled"]]
    frames = sum(row["frames"] for row in labelled)
    # a video's label is the released one; where none was, any frame with A/H makes it positive
    judged = [row for row in rows if row["label"] is not None or row["labelled"]]
    positive = sum(row["label"] if row["label"] is not None else row["positive_frames"] > 0 for row in judged)
    length = sum(row["duration_s"] for row in rows)
    return (
        name,
        count(len({row["participant"] for row in rows})),
        count(len(rows)),
        share(positive, len(judged)),
        count(sum(row["frames"] for row in rows)),
        share(sum(row["positive_frames"] for row in labelled), frames),
        span(length) if length else "–",
    )


def tiles(material: Material) -> list[tuple[str, str]]:
    """The large numbers under the summary."""
    rows = material.used if material.recorded else _answered(material)
    frames = sum(row["frames"] for row in rows if row["labelled"])
    methods = {(row["method"], row["modalities"]) for row in material.scores if not is_control(row["method"])}
    length = sum(row["duration_s"] for row in rows)
    found = [
        (count(len({row["participant"] for row in rows})), "participants"),
        (count(len(rows)), "videos" if material.recorded else "answers, as text"),
        (span(length), "of answers"),
        (share(sum(row["positive_frames"] for row in rows), frames), "of frames with A/H"),
        (count(len(methods)), "methods scored"),
    ]
    known = {"of answers": length > 0, "of frames with A/H": frames > 0}
    return [(number, what) for number, what in found if known.get(what, True)]


def languages(material: Material) -> str:
    """``English 62 videos, French 10 videos``."""
    used = {row["video"] for row in (material.used if material.recorded else material.answers)}
    known = {row["video"]: row["language"] for row in material.answers}
    found = Counter(row["language"] or known.get(row["video"]) for row in material.videos if row["video"] in used)
    told = [
        f"{LANGUAGES.get(code, code) if code else 'not stated'}, {plural(n, 'video')}"
        for code, n in found.most_common()
    ]
    return "; ".join(told) or "not stated"


def decoding(material: Material, gate: Gate) -> list[tuple[str, str]]:
    """What the indexes of faces and speech note: decoders, engines."""
    facts = []
    for thing, title in (("faces", "Video decoding"), ("audio", "Sound"), ("speech", "Speech"), ("words", "Words")):
        found = notes(material, gate, thing)
        if found:
            told = "; ".join(f"{note} ({plural(n, 'video')})" for note, n in found[:6])
            rest = sum(n for _, n in found[6:])
            facts.append((title, told + (f"; and other notes on {plural(rest, 'video')}" if rest else "")))
    return facts


def model_sets(material: Material) -> str:
    """One sentence on the set of models that ran."""
    wanted = material.config.get("models", {}).get("set", "")
    by_path, trained = (
        [model.role.replace("_", " ") for model in material.models if model.set == kind] for kind in ("path", "trained")
    )
    told = {
        "embedded": "The embedded set ran: small models that arrive with the packages, not those of the papers. "
        "Scores are not comparable with the papers' for this reason alone.",
        "paper": "The paper set ran: the models that the papers name.",
    }.get(wanted, "")
    told += f" Given by path: {listed(by_path)}." if by_path else ""
    return told + (f" Trained by this workflow: {listed(trained)}." if trained else "")


def made_by(material: Material) -> list[tuple[str, str]]:
    """Provenance without a date: versions of the software, the code of the methods, the model set."""
    codes = sorted({str(record["code"]) for record in material.predictions.values() if record.get("code")})
    known = versions("snakemake", "torch")
    facts = [("Waver", waver.__version__), ("data", str(material.config.get("dataset", {}).get("name", "")))]
    facts += [("models", str(material.config.get("models", {}).get("set", "")))]
    facts += [("code", codes[0] if len(codes) == 1 else f"{len(codes)} fingerprints")] if codes else []
    return [(what, value) for what, value in [*facts, *known.items()] if value]


def compared(material: Material, level: str) -> str:
    """How the people that this run scores differ from the published test sets."""
    splits = splits_of(material.scores, level)
    rows = standings(material.scores, level, splits[0]) if splits else []
    if not rows:
        return "This run scored nothing here, so there is nothing to compare with these."
    about = rows[0].any
    people = plural(about["participants"], "participant")
    name = "synthetic data" if material.demo else f"the data set “{material.config.get('dataset', {}).get('name', '')}”"
    size = "" if level == "participant" else f" and {plural(about['n'], level)}"
    also = f" (and, apart, on the {listed([SPLITS[split] for split in splits[1:]])})" if splits[1:] else ""
    told = {"cv": "is scored by cross-validation on train and val", "val": "is scored on the validation split"}
    others = "" if "test" in splits else " Nobody scored here is in those."
    return (
        f"This run {told.get(splits[0], 'is scored on the test split')}, {people}{size} of {name}{also}; the papers' "
        f"test sets are named with each table.{others} Where release or split differ, small differences mean nothing. "
        "Each published score is of one model: compare it with the mean of our single seeds, after “seeds”, not "
        "with the score of their averaged probabilities."
    )


def guard(material: Material) -> str:
    """What the records say of the guard between the subsets of a participant, and of what crosses it."""
    kept = [about for about in material.adapted if "guard_s" in about]
    if not kept:
        return ""
    told = (
        f", with at least {min(about['guard_s'] for about in kept):.1f} s between them, so that no frame that was "
        "adapted on looks at the same surroundings as a scored one"
    )
    crossing = dict.fromkeys(clause for about in kept for clause in about["beyond"])
    return told + (f", but for what is seen from farther off: {'; '.join(crossing)}" if crossing else "")
