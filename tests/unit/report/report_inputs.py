"""A whole set of report inputs, made by the code that makes them in a run; some people did not consent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from changed_stores import rewrite
from recorded import recorded
from synthetic import write_answers, write_packs
from waver.align.packs import read_packs
from waver.config.sections import EvaluateConfig, ReportConfig
from waver.datasets.folds import folds_of
from waver.errors import ExcludedItem
from waver.evaluation.control_names import CONTROLS, LEVELS, PROTOCOLS, Control
from waver.evaluation.controls import predict_controls
from waver.evaluation.scores import score_predictions
from waver.io.shard_job import run_shard
from waver.io.tables import (
    ANSWERS,
    PACK_INDEX,
    PARTICIPANTS,
    PREDICTIONS,
    SEGMENTS,
    SET_ASIDE,
    VIDEOS,
    WEIGHTS,
    read_table,
    read_tables,
    write_table,
)
from waver.io.zarr_store import StoreWriter, read_store
from waver.report.build import PageConfig, ReportInputs

WITHHELD = ("82003", "82017", "82019", "82022")
CANARY_WORD = "zanzibarine"
CANARY_COLOUR = (255, 0, 200)
SHOWN_WORDS = "well I know that I should go out for a run but then again I do not really want to"
FOLDS = 3
CONFIG = PageConfig(
    report=ReportConfig(),
    evaluate=EvaluateConfig(least_group=5),
    model_set="embedded",
    dataset="synthetic",
    released=False,
    select="AP",
    folds=FOLDS,
    folding="random",
)
CANARY_ANSWER = "honestly my grandmother Balthasara keeps forty geese behind the old paper mill"
"""What everybody says who did not consent, word by word."""

GUARD = {"guard_s": 4.1667, "beyond": ["a word's vector sees its whole sentence"]}
ABOUT = {"model_set": "embedded", "config": {}, "code": "0123456789abcdef"}

Row = dict[str, Any]


def make_inputs(folder: Path, people: dict[str, int] | None = None, frames: int = 72, size: int = 32) -> ReportInputs:
    people = people or {"train": 8, "val": 5, "test": 9}
    indexes, packs = write_packs(folder, people, questions=4, frames=frames, shards=2)
    _uneven_questions(indexes, packs)
    rows = read_tables(indexes, PACK_INDEX)
    tables = _tables(folder, rows)
    things = {"faces": _faces(size), "audio": _audio, "speech": _speech}
    answers = _answers(folder, indexes, rows)
    features = {thing: _features(folder, thing, rows, compute) for thing, compute in things.items()}
    predictions = _predictions(folder, indexes, packs, [answers])
    adapted = [path for path in predictions if path.stem.endswith(("_block", "_frame_random"))]
    return ReportInputs(
        **_statistics(folder, predictions, indexes, packs, tables["participants"], [answers], 100),
        answers=[answers],
        **tables,
        feature_indexes={thing: [index] for thing, (index, _) in features.items()},
        feature_stores={thing: stores for thing, (_, stores) in features.items()},
        pack_indexes=indexes,
        packs=packs,
        histories=_histories(folder),
        predictions=predictions,
        adapted=adapted,
        diagnostics=[_diagnostics(path) for path in adapted],
        weights=[],
        models=_models(folder),
        benchmarks=_benchmarks(folder),
    )


def _answers(folder: Path, indexes: list[Path], rows: list[Row]) -> Path:
    """Everybody's words; those of people who did not consent are canaries."""
    said = {row["video"]: CANARY_ANSWER if row["participant"] in WITHHELD else SHOWN_WORDS for row in rows}
    language = {row["video"]: "fr" if int(row["participant"]) % 3 else "en" for row in rows}
    return write_answers(folder / "answers.parquet", indexes, text=said, language=language)


def _statistics(
    folder: Path,
    predictions: list[Path],
    indexes: list[Path],
    packs: Path,
    participants: Path,
    answers: list[Path],
    resamples: int,
) -> dict[str, Path]:
    paths = {name: folder / f"{name}.parquet" for name in ("scores", "comparisons", "calibration", "decomposition")}
    config = EvaluateConfig(bootstrap=resamples)
    outputs = {**paths, "json": folder / "scores.json"}
    score_predictions(predictions, indexes, packs, participants, answers, config, outputs)
    return paths


def make_transcripts(folder: Path) -> ReportInputs:
    """A data set without video files or test split, judged by cross-validation; nobody was asked for consent."""
    indexes, packs = write_packs(folder, {"train": 12, "val": 6}, questions=4, frames=72, shards=2)
    _uneven_questions(indexes, packs)
    rows = read_tables(indexes, PACK_INDEX)
    tables = _tables(folder, rows)
    people = [
        {**row, "sex": None, "age": None, "age_group": None, "consent_publication": False}
        for row in read_table(tables["participants"], PARTICIPANTS)
    ]
    write_table(tables["participants"], people, PARTICIPANTS, {"layout": "bah224"})
    said = {row["video"]: f"{CANARY_ANSWER} and {row['video'][-1]} more" for row in rows}
    answers = write_answers(folder / "answers.parquet", indexes, text=said)
    predictions = _text_predictions(folder, indexes, packs, answers)
    index, stores = _features(folder, "speech", rows, _speech)
    return ReportInputs(
        **_statistics(folder, predictions, indexes, packs, tables["participants"], [answers], 400),
        answers=[answers],
        **tables,
        feature_indexes={"speech": [index]},
        feature_stores={"speech": stores},
        pack_indexes=indexes,
        packs=packs,
        histories={},
        predictions=predictions,
        adapted=[],
        diagnostics=[],
        weights=[_weights(folder)],
        models=_models(folder),
        benchmarks=_benchmarks(folder),
    )


def _diagnostics(predictions: Path) -> Path:
    """What a method that takes steps says of its participants."""
    path = Path(f"{predictions}.diagnostics.jsonl")
    people = sorted({row["participant"] for row in read_table(predictions, PREDICTIONS)})
    path.write_text("".join(json.dumps(adapted_line(person)) + "\n" for person in people), encoding="utf-8")
    return path


def adapted_line(participant: str, steps: int = 20, values: Sequence[float | None] = (0.4, 0.6)) -> Row:
    """A line of diagnostics, with as many points as values of the score."""
    points = [
        {"done": number / (len(values) - 1), "AVGF1": value, "positive": 0.3, "entropy": 0.5,
         "unadapted_AVGF1": 0.4, "unadapted_positive": 0.2, "unadapted_entropy": 0.6}
        for number, value in enumerate(values)
    ]  # fmt: skip
    frames = {"train_positives": 9, "train_negatives": 21, "val_positives": 1, "val_negatives": 1,
              "test_positives": 3, "test_negatives": 7}  # fmt: skip
    rates = {"predicted_positive_before": 0.2, "predicted_positive_after": 0.3, "entropy_before": 0.6,
             "entropy_after": 0.5, "flips": 0.1}  # fmt: skip
    scores = {"AVGF1": values[-1], "F1": values[-1], "WF1": 0.6, "AP_paper": 0.3}
    return {"participant": participant, "steps": steps, **frames, **rates, **scores, "trace": points}


def _weights(folder: Path) -> Path:
    """Weights of a model of cues on train and in three folds, which agree about all but one."""
    weights = {"count of hedge": (0.5, 0.4, 0.6, 0.5), "question 4": (1.0, 0.9, 1.1, 1.0), "rate of pause": (0.3,) * 4}
    weights |= {"question 1": (-0.8,) * 4, "count of but": (0.2, -0.1, 0.3, 0.2)}
    rows = [
        {"feature": name, "weight": value, "fold": None if place == 0 else place - 1}
        for name, values in weights.items()
        for place, value in enumerate(values)
    ]
    write_table(folder / "weights.parquet", rows, WEIGHTS, {"method": "cues", "modalities": "TQ"})
    return folder / "weights.parquet"


def _text_predictions(folder: Path, indexes: list[Path], packs: Path, answers: Path) -> list[Path]:
    """Controls, and models of answers that know the label a little, on val and out of fold."""
    written = _controls(folder, indexes, packs, [answers], FOLDS)
    rows = read_table(answers, ANSWERS)
    fold_of = folds_of([row["participant"] for row in rows], FOLDS)
    runs = {("tfidf", "T"): 0.0, ("tfidf", "TQ"): 0.4, ("cues", "TQ"): -1.5, ("encoder", "TQ"): 3.0}
    for number, ((method, inputs), gain) in enumerate(runs.items()):
        rng = np.random.default_rng(number)
        margin = {row["video"]: gain * (2 * row["label"] - 1) + rng.normal() for row in rows}
        for protocol in PROTOCOLS:
            judged = [row for row in rows if protocol == "cv" or row["split"] == "val"]
            path = folder / "answers" / f"{method}_{inputs}_{protocol}.parquet"
            guesses = [
                {"video": row["video"], "participant": row["participant"], "split": row["split"], "frame": None,
                 "probability": float(1 / (1 + np.exp(-margin[row["video"]]))), "margin": margin[row["video"]],
                 "fold": fold_of[row["participant"]] if protocol == "cv" else None}
                for row in judged
            ]  # fmt: skip
            about = {**ABOUT, "method": method, "modalities": inputs, "level": "video", "protocol": protocol}
            write_table(path, guesses, PREDICTIONS, {**about, "seed": 0})
            written.append(path)
    return written


def _uneven_questions(indexes: list[Path], packs: Path) -> None:
    """Two videos cannot be packed, one was mended; a reason names a file of somebody who did not consent."""
    for index in indexes:
        rows = read_table(index, PACK_INDEX)
        labels = read_store(packs / f"{index.stem}.zarr", "label")["label"]
        for row in rows:
            start, stop = row["offset"], row["offset"] + row["frames"]
            # no A/H in question 1, and less towards the end of the others
            kept = 0 if row["question"] == 1 else row["frames"] * (0.3 + 0.15 * row["question"])
            labels[start + int(kept) : stop] = 0
            row["positive_frames"] = int(labels[start:stop].sum())
            row["label"] = int(row["positive_frames"] > 0)
            if row["video"] in ("82003_Q2", "82004_Q2"):
                row |= {"status": "set_aside", "reason": f"no labels for {row['video']}", "remedy": "add them"}
            if row["video"] in ("82017_Q1", "82018_Q1", "82020_Q1"):
                row["note"] = "annotation 1 frames shorter than the video"
        rewrite(packs / f"{index.stem}.zarr", label=labels)
        write_table(index, rows, PACK_INDEX)


def _tables(folder: Path, rows: list[Row]) -> dict[str, Path]:
    paths = {name: folder / f"{name}.parquet" for name in ("participants", "videos", "segments", "set_aside")}
    people = {row["participant"]: row["split"] for row in rows}
    ages = ("18-24", "25-34", "35-44")
    write_table(
        paths["participants"],
        [
            {"participant": one, "split": split, "sex": "Female" if number % 2 else "Male", "age": 30,
             "age_group": ages[number % 7 % 3], "ethnicity": None, "birth_country": None, "student": None,
             "consent_publication": one not in WITHHELD, "consent_challenge": True}
            for number, (one, split) in enumerate(people.items())
        ],
        PARTICIPANTS,
    )  # fmt: skip
    write_table(
        paths["videos"],
        [
            {**{name: row[name] for name in ("video", "participant", "split", "question", "label", "duration_s")},
             "path": f"{row['participant']}/{row['video']}.mp4", "source_frames": row["frames"], "source_fps": 24.0,
             "has_audio": True, "annotated_frames": row["frames"],
             "language": "fr" if row["participant"].endswith("4") else "en", "checksum": row["video"]}
            for row in rows
        ],
        VIDEOS,
    )  # fmt: skip
    write_table(paths["segments"], [], SEGMENTS)
    excluded = [("82019_Q5", "82019", "82019/82019_Q5.mp4"), ("82020_Q5", "82020", "82020/82020_Q5.mp4"),
             ("holiday.mp4", None, "82019/holiday.mp4"), ("90001_Q1", "90001", "90001/90001_Q1.mp4"),
             (CANARY_WORD, None, CANARY_WORD)]  # fmt: skip
    remedy = "copy the file again from its source"
    write_table(
        paths["set_aside"],
        [
            {"stage": "ingest", "item": item, "participant": owner, "path": path, "remedy": remedy,
             "reason": "the video file cannot be opened (/data/raw/" + path + ")" if owner == "82020" else
             f"the file /data/raw/{path} of {item} cannot be opened: {CANARY_ANSWER}"}
            for item, owner, path in excluded
        ],
        SET_ASIDE,
    )  # fmt: skip
    return paths


def _features(
    folder: Path, thing: str, rows: list[Row], compute: Callable[[Row, StoreWriter], tuple[int, str]]
) -> tuple[Path, Path]:
    index, stores = folder / "features" / thing / "000.parquet", folder / "features" / thing / "stores"
    wanted = [{**row, "checksum": row["video"]} for row in rows if row["split"] == "test"]
    run_shard(wanted, stores, index, {"thing": thing}, compute)
    return index, stores


def _faces(size: int) -> Callable[[Row, StoreWriter], tuple[int, str]]:
    def compute(row: Row, writer: StoreWriter) -> tuple[int, str]:
        frames = int(row["frames"])
        if row["video"] in ("82020_Q3", "82019_Q3"):
            raise ExcludedItem(f"no face in {row['participant']}/{row['video']}.mp4", "check the camera")
        image = writer.images("image", frames, size, 95)
        image[:] = _pictures(row["participant"], frames, size)
        return frames, "decoder=pyav (cut short)" if row["question"] == 2 else "decoder=decord"

    return compute


def _pictures(participant: str, frames: int, size: int) -> np.ndarray:
    if participant in WITHHELD:
        return np.full((frames, size, size, 3), CANARY_COLOUR, np.uint8)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    face = (x / 0.34) ** 2 + (y / 0.44) ** 2 < 1
    eyes = (np.abs(np.abs(x) - 0.14) < 0.05) & (np.abs(y + 0.1) < 0.03)
    picture = np.where(face[..., None], (206, 172, 148), (70, 84, 96)).astype(np.uint8)
    pictures = np.repeat(picture[None], frames, axis=0)
    pictures[:, eyes] = 40
    opening = 0.02 + 0.05 * np.abs(np.sin(np.arange(frames) / 9))[:, None, None]
    mouth = (np.abs(x) < 0.12)[None] & (np.abs(y - 0.22)[None] < opening)
    pictures[mouth] = (140, 60, 60)
    return pictures


def _audio(row: Row, writer: StoreWriter) -> tuple[int, str]:
    steps = int(row["duration_s"] * 100)
    rng = np.random.default_rng(steps)
    bands = np.linspace(3, 0, 64)[None] + 2 * np.sin(np.arange(steps) / 11)[:, None] * (np.arange(64) < 40)
    writer.put("logmel", (bands + rng.normal(0, 0.5, (steps, 64))).astype(np.float32))
    return int(row["frames"]), ""


def _speech(row: Row, writer: StoreWriter) -> tuple[int, str]:
    number = int(row["duration_s"] / 0.33)
    start = np.arange(number, dtype=np.float32) * 0.33
    words = [SHOWN_WORDS.split()[k % 19] for k in range(number)]
    if row["participant"] in WITHHELD:
        words[1] = CANARY_WORD
    for name, values in (("start_s", start), ("end_s", start + 0.3), ("probability", np.ones_like(start))):
        writer.put(name, values)
    writer.attributes.update(words=words, language="en")
    return int(row["frames"]), ""


def _controls(folder: Path, indexes: list[Path], packs: Path, answers: list[Path], folds: int) -> list[Path]:
    names = [Control(name, level, protocol) for name in CONTROLS for level in LEVELS for protocol in PROTOCOLS]
    outputs = {name: folder / "controls" / f"{'.'.join(name)}.parquet" for name in names}
    predict_controls(indexes, packs, answers, folds, outputs, ABOUT)
    return list(outputs.values())


def _predictions(folder: Path, indexes: list[Path], packs: Path, answers: list[Path]) -> list[Path]:
    written = _controls(folder, indexes, packs, answers, 0)
    strength = {"V": 0.2, "VTQ": 0.45, "VAT": 0.7}
    runs = [("lfan", m, 0, "standard") for m in strength] + [("can", "VAT", s, "standard") for s in (0, 1)]
    runs += [(m, "V", 0, p) for m in ("source_only", "shot", "oracle") for p in ("frame_random", "block")]
    for method, modalities, seed, protocol in runs:
        gain = {"shot": 0.5, "oracle": 2.2, "can": 0.35}.get(method, strength[modalities])
        path = folder / "runs" / f"{method}_{modalities}_{seed}_{protocol}.parquet"
        record = {**ABOUT, "method": method, "modalities": modalities, "level": "frame", "protocol": protocol}
        record |= GUARD if protocol == "block" else {}
        record |= recorded(method, modalities).record if protocol == "standard" else {"network": "bottleneck"}
        write_table(path, _frames(indexes, packs, gain, seed, protocol), PREDICTIONS, {**record, "seed": seed})
        written.append(path)
    return written


def _frames(indexes: list[Path], packs: Path, gain: float, seed: int, protocol: str) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    step = 1 if protocol == "standard" else 5
    splits = ["val", "test"] if protocol == "standard" else ["test"]
    for video in read_packs(indexes, packs, ["label"], splits):
        label = video.arrays["label"].astype(float)
        noise = np.convolve(rng.normal(0, 2.4, len(label) + 23), np.ones(24) / 12, "valid")
        margin = gain * (2 * label - 1) + noise
        rows += [
            {"video": video.video, "participant": video.participant, "split": video.row["split"], "frame": frame,
             "probability": float(1 / (1 + np.exp(-margin[frame]))), "margin": float(margin[frame]), "fold": None}
            for frame in range(0, len(label), step)
        ]  # fmt: skip
    return rows


def _histories(folder: Path) -> dict[Path, Row]:
    found = {}
    runs = [("lfan", m, s) for m in ("V", "A", "T", "VT", "AT", "VAT") for s in (0, 1, 2)] + [("can", "VAT", 0)]
    for number, (fusion, modalities, seed) in enumerate(runs):
        rng = np.random.default_rng(number)
        path = folder / "train" / fusion / modalities / str(seed) / "history.jsonl"
        path.parent.mkdir(parents=True)
        lines = []
        for epoch in range(1, 16 + seed):
            learned = 1 - np.exp(-epoch / 6)
            lines.append({"epoch": epoch, "train_loss": 0.7 - 0.4 * learned, "val_loss": 0.7 - 0.15 * learned,
                          "val_AP": 0.4 + 0.05 * len(modalities) * learned + rng.normal(0, 0.012),
                          "val_AP_paper": None, "val_AVGF1": 0.5, "lr": 0.001})  # fmt: skip
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        found[path] = recorded(fusion, modalities).record
    return found


def _models(folder: Path) -> list[Path]:
    from waver.assets.manifest import Installed, manifest

    paths = []
    for name in ("retinaface_mobilenet", "mini_xception", "whisper_base", "minilm"):
        asset = manifest()[name]
        known = asset.model_dump(include={"role", "set", "title", "licence"})
        record = Installed(name=name, folder=str(folder / name), files={}, **known)
        paths.append(folder / name / "asset.json")
        paths[-1].parent.mkdir()
        paths[-1].write_text(record.model_dump_json())
    return paths


def _benchmarks(folder: Path) -> Path:
    rules = {"ingest": 2.1, "features_faces": 210.0, "features_speech": 95.0, "train": 64.0, "evaluate_scores": 3.0}
    for rule, seconds in rules.items():
        for shard in ("000", "001"):
            path = folder / "benchmarks" / rule / f"{shard}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            job = {
                "s": seconds,
                "max_rss": 410.5 + 12 * seconds,
                "cpu_time": "NA" if rule == "ingest" else 1.6 * seconds,
            }
            path.write_text(json.dumps(job) + "\n")
    return folder / "benchmarks"
