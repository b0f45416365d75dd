"""Facts of the run: counts, languages, decoders, models, and the page's fixed texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

import waver
from waver.assets.entries import same_bytes
from waver.datasets.languages import ISO_639_1
from waver.evaluation.disclosure import disclosed, disclosed_splits
from waver.provenance import versions
from waver.report.data import Material, Row
from waver.report.formatting import LANGUAGES, SPLITS, count, is_control, listed, plural, row_name, share, span
from waver.report.ranking import ranked_methods, scored_splits
from waver.report.text.exclusions import notes

TEXTS = Path(__file__).parent.parent / "templates/texts.yaml"


def texts() -> Row:
    """The page's fixed texts: ``meanings`` of the numbers, ``bibtex``."""
    loaded: Row = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return loaded


def split_counts(material: Material) -> list[tuple[str, ...]]:
    """Rows (split, participants, videos, with A/H, frames, with A/H, length).

    Videos are those in the packs. Of a data set without video files all listed videos count: their transcripts are
    evaluated whether or not their frames are known. Shares that tell of fewer than ``least_group`` people are withheld.
    """
    listed_rows = material.used if material.recorded else _answered(material)
    parts = [(split, [row for row in listed_rows if row["split"] == split]) for split in ("train", "val", "test")]
    shown = _splits_shown(material, listed_rows)
    return [_counts(name, part, name in shown) for name, part in [*parts, ("all", listed_rows)] if part]


def _splits_shown(material: Material, rows: Sequence[Row]) -> set[str]:
    """Splits, and ``all``, whose share of A/H may be told."""
    people: dict[str, set[str]] = {}
    for row in rows:
        people.setdefault(row["split"], set()).add(row["participant"])
    return disclosed_splits(people, material.config.evaluate.least_group)


def _answered(material: Material) -> list[Row]:
    """The answers, with the columns of their frames where they are packed."""
    packed = {row["video"]: row for row in material.used}
    nothing = {"labelled": False, "frames": 0, "positive_frames": 0}
    rows = [{**nothing, **packed.get(row["video"], {}), **row} for row in material.answers]
    return [{**row, "duration_s": row["duration_s"] or 0.0} for row in rows]


def _counts(name: str, rows: Sequence[Row], shown: bool) -> tuple[str, ...]:
    labelled = [row for row in rows if row["labelled"]]
    frames = sum(row["frames"] for row in labelled)
    # a video has the released label; where there is none, any frame with A/H makes it positive
    with_label = [row for row in rows if row["label"] is not None or row["labelled"]]
    positive = sum(row["label"] if row["label"] is not None else row["positive_frames"] > 0 for row in with_label)
    length = sum(row["duration_s"] for row in rows)
    return (
        name,
        count(len({row["participant"] for row in rows})),
        count(len(rows)),
        share(positive if shown else None, len(with_label)),
        count(sum(row["frames"] for row in rows)),
        share(sum(row["positive_frames"] for row in labelled) if shown else None, frames),
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
        (count(len(rows)), "videos" if material.recorded else "transcripts"),
        (span(length), "of answers"),
        (share(sum(row["positive_frames"] for row in rows), frames), "of frames with A/H"),
        (count(len(methods)), "methods scored"),
    ]
    known = {"of answers": length > 0, "of frames with A/H": frames > 0 and "all" in _splits_shown(material, rows)}
    return [(number, what) for number, what in found if known.get(what, True)]


def languages(material: Material) -> str:
    """``English, 62 videos; French, 10 videos``; without languages of few people, and one that would tell of these."""
    used = {row["video"] for row in (material.used if material.recorded else material.answers)}
    known = {row["video"]: row for row in material.answers}
    people: dict[str, list[str]] = {}
    for row in material.videos:
        if row["video"] in used:
            code = row["language"] or known[row["video"]]["language"]
            name = LANGUAGES.get(code, str(code)) if code in ISO_639_1 else "not stated"
            people.setdefault(name, []).append(known[row["video"]]["participant"])
    shown = disclosed(people, material.config.evaluate.least_group)
    order = sorted(shown, key=lambda name: (-len(people[name]), name))
    text = [f"{name}, {plural(len(people[name]), 'video')}" for name in order]
    if len(shown) < len(people):
        text.append("others of few people" if shown else "withheld: one of them is of few people")
    return "; ".join(text) or "not stated"


def decoding(material: Material) -> list[tuple[str, str]]:
    """Notes in the indexes of the features: decoders, engines."""
    facts = []
    for feature, title in (("faces", "Video decoding"), ("audio", "Sound"), ("speech", "Speech"), ("words", "Words")):
        found = notes(material, feature)
        if found:
            text = "; ".join(f"{note} ({plural(n, 'video')})" for note, n in found[:6])
            rest = sum(n for _, n in found[6:])
            facts.append((title, text + (f"; and other notes on {plural(rest, 'video')}" if rest else "")))
    return facts


def model_sets(material: Material) -> str:
    """Whose models were used, by the records of those that were installed, given or trained.

    A model that was given by path and has the bytes of one of the manifest is that one.
    """
    titles: dict[str, dict[str, None]] = {}
    for model in material.models:
        own = same_bytes(model.role, model.files.values()) if model.set == "path" else None
        role = model.role.replace("_", " ")
        title = role if model.set == "path" and own is None else (own or model).title
        if model.set == "trained":  # one network of several of a role; what it was trained on is told elsewhere
            title = f"{role} {title.partition(',')[0]}"
        titles.setdefault((own or model).set, {})[title] = None
    others = [*titles.get("embedded", ()), *titles.get("insightface", ())]
    found = {
        "Models that the papers name: {}.": "; ".join(titles.get("paper", ())),
        "Not those of the papers: {}. For this reason alone the scores do not compare with the papers'.": "; ".join(
            others
        ),
        "Given by path: {}.": listed([*titles.get("path", ())]),
        "Random weights, made for tests and the demo: {}.": "; ".join(titles.get("tiny", ())),
        "Trained by this workflow: {}.": listed([*titles.get("trained", ())]),
    }
    return " ".join(sentence.format(models) for sentence, models in found.items() if models)


def made_by(material: Material) -> list[tuple[str, str]]:
    """Provenance without a date: versions of the software, the code of the methods, the model set."""
    codes = sorted({str(record["code"]) for record in material.predictions.values() if record.get("code")})
    known = versions("snakemake", "torch")
    facts = [("Waver", waver.__version__), ("data", material.config.dataset)]
    facts += [("models", material.config.model_set)]
    facts += [("code", codes[0] if len(codes) == 1 else f"{len(codes)} fingerprints")] if codes else []
    return [(what, value) for what, value in [*facts, *known.items()] if value]


def compared(material: Material, level: str) -> str:
    """How the people of this run differ from the published test sets."""
    splits = scored_splits(material.scores, level)
    rows = ranked_methods(material.scores, level, splits[0]) if splits else []
    if not rows:
        return "This run has no score at this level to compare with these."
    about = rows[0].any
    people = plural(about["participants"], "participant")
    name = "synthetic data" if material.demo else f"the data set “{material.config.dataset}”"
    size = "" if level == "participant" else f" and {plural(about['n'], level)}"
    also = f" (and separately on the {listed([SPLITS[split] for split in splits[1:]])})" if splits[1:] else ""
    text = {"cv": "is scored by cross-validation on train and val", "val": "is scored on the validation split"}
    others = "" if "test" in splits else " No participant of this run is in these test sets."
    return (
        f"This run {text.get(splits[0], 'is scored on the test split')}, {people}{size} of {name}{also}; the papers' "
        f"test sets are named in each table.{others} Where release or split differ, small differences mean nothing. "
        "A published score is of one model: compare it with the mean of our single seeds, after “seeds”, not with the "
        "score of their averaged probabilities."
    )


def not_applicable(material: Material, protocol: str) -> str:
    """Which methods can do nothing to which network, and why; from the records, a sentence each."""
    found = [about for about in material.adapted if "not_applicable" in about and about["protocol"] == protocol]
    return "".join(dict.fromkeys(f" {row_name(about)}: not applicable, {about['not_applicable']}." for about in found))


def guard(material: Material) -> str:
    """The guard between the subsets of a participant, from the records, and which inputs cross it."""
    kept = [about for about in material.adapted if "guard_s" in about]
    if not kept:
        return ""
    text = (
        f", with at least {min(about['guard_s'] for about in kept):.1f} s between them, so that no frame used for "
        "adaptation shares input with a scored one"
    )
    crossing = dict.fromkeys(clause for about in kept for clause in about["beyond"])
    return text + (f", except inputs of a longer reach: {'; '.join(crossing)}" if crossing else "")
