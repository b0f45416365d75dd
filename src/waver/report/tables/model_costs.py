"""Costs of models: parameters, operations, seconds, in one table for everything trained or applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from waver.assets.manifest import Installed, read_record
from waver.io.tables import FEATURE_INDEX, read_metadata, read_tables
from waver.modalities import derived_modalities, feature_names
from waver.registry import MODALITIES
from waver.report.formatting import count, method_name, plural, row_name, span
from waver.report.papers.layouts import Notes
from waver.report.papers.published import published_costs
from waver.report.tables.formats import Cell, Column, Line, TableData
from waver.report.tables.parameter_counts import parameters_in
from waver.report.tables.run_times import jobs_in, number_of
from waver.training.profiling.record import VIDEO_S, Cost, read_cost
from waver.training.trained_model import other_backbone

NAME = "compute"
COLUMNS = (
    Column("Parameters"),
    Column("of these trainable"),
    Column("with frozen extractors"),
    Column("Frames of the input", parts=("", " (unit)")),
    Column("GFLOPs"),
    Column("GMACs"),
    Column("Seconds per epoch"),
    Column("Epochs"),
    Column("CPU time of a job", parts=(" (s)",)),
    Column("ms per frame"),
    Column("On", parts=(" (threads)", "")),
)
FRAMES, VIDEOS, ANSWERS, FROZEN, PUBLISHED = (
    "Models of frames",
    "Models of videos",
    "Models of answers",
    "Frozen feature extractors",
    "Published",
)
NOTHING = Cell("–")

_NOT_HERE = "not measured: another run extracted these features"

_LETTERS = {role: letter for letter, one in MODALITIES.items() for role in one.networks}
"""Role of a model -> modality of the features that are inputs of trained models."""
_NO_INPUTS = {"face_detector": "faces", "face_embedding": "faces", "speech_recogniser": "speech", "sentiment": "cues"}
"""Role of a model whose results are no inputs of trained models -> feature that it is used for."""
FEATURE_OF_ROLE = dict(
    sorted(
        (_NO_INPUTS | {role: MODALITIES[letter].feature for role, letter in _LETTERS.items()}).items(),
        key=lambda known: feature_names(recorded=True).index(known[1]),
    )
)
"""Role of a model -> feature that it extracts, in the order of the flow."""


@dataclass(frozen=True)
class CostInputs:
    """Files of the table of costs.

    Attributes:
        costs: JSON files of trained models of frames and of videos (``waver.training.profiling.record``).
        answers: PREDICTIONS tables of models of answers.
        models: records ``asset.json`` of the installed models.
        features: feature (faces, visual, ...) -> index tables of its shards.
        benchmarks: folder ``benchmarks/<run>`` of Snakemake's measurements.
    """

    costs: Sequence[Path]
    answers: Sequence[Path]
    models: Sequence[Path]
    features: Mapping[str, Sequence[Path]]
    benchmarks: Path


def cost_table(inputs: CostInputs) -> TableData:
    """The table; a model whose files were deleted has no number of parameters.

    Raises:
        WaverError: a record or a table is of another version.
    """
    # of several backbones the one that the features are named after stands first
    records = {record.role: record for record in map(read_record, reversed(inputs.models))}
    sizes = {role: parameters_in(record) for role, record in records.items()}
    trained = [read_cost(path) for path in inputs.costs]
    notes = Notes()
    lines = [_trained(cost, sizes, inputs.benchmarks, notes) for cost in trained]
    lines = sorted(lines, key=lambda line: line.body != FRAMES)
    ours = [*lines, *_answers(inputs), *_frozen(records, sizes, inputs, notes)]
    printed = [_published(entry, notes) for entry in published_costs()]
    return TableData(
        name=NAME,
        title="Costs of models",
        split="",
        caption=_CAPTION,
        heads=("Model",),
        columns=COLUMNS,
        lines=(*ours, *printed),
        notes=tuple(notes.texts),
        ours=len(ours),
    )


_CAPTION = (
    "Operations are those of one forward pass of the input, a window or a video: matrix products, convolutions and "
    "attention; a multiplication and an addition are two FLOPs and one MAC. Milliseconds per frame of the 24 fps "
    f"clock: of trained models the median of repeats, after a warm-up, on a synthetic video of {VIDEO_S} s, without "
    "feature extraction; of frozen extractors the duration of their jobs, with reading, decoding and writing, per "
    "frame. A job of a model of answers or of videos includes its cross-validation."
)


def _trained(cost: Cost, sizes: Mapping[str, int | None], benchmarks: Path, notes: Notes) -> Line:
    video = cost.unit == "video"
    rule = "train_videos" if video else "train_fusion"
    # a model of pixels has no features of a frozen backbone as input
    frozen = [sizes.get(role) for role, letter in _LETTERS.items() if letter in cost.modalities and role in sizes]
    known = [size for size in frozen if size is not None]
    countable = len(known) == len(frozen) and not cost.sees_pixels and not _elsewhere(cost)
    total = cost.parameters + sum(known) if countable else None
    epochs = [str(number) for number in sorted(set(cost.epochs))]
    cells = (
        _number(cost.parameters),
        _number(cost.trainable),
        _number(total),
        Cell(count(cost.frames), cost.unit, (cost.frames, cost.unit)),
        _giga(cost.flops),
        _giga(cost.macs),
        _seconds(cost.epoch_s),
        Cell("–" if not epochs else "–".join(dict.fromkeys([epochs[0], epochs[-1]])), values=(" ".join(epochs),)),
        _cpu(benchmarks / rule / cost.method / cost.modalities),
        _milliseconds(cost.frame_s),
        Cell(plural(cost.threads, "thread"), "", (cost.threads, cost.device), note=notes.number(cost.device)),
    )
    about = {"method": cost.method, "modalities": cost.modalities} if cost.model is None else cost.model.record
    return Line((row_name(about),), cells, VIDEOS if video else FRAMES)


def _elsewhere(cost: Cost) -> bool:
    """Whether a model has the features of another visual backbone than the run's."""
    return cost.model is not None and bool(other_backbone(cost.model.record))


def _answers(inputs: CostInputs) -> Iterator[Line]:
    """Models of answers, seeds together."""
    found: dict[tuple[str, str], Any] = {}
    for path in inputs.answers:
        about = read_metadata(path)
        found.setdefault((about["method"], about["modalities"]), about.get("parameters"))
    for (method, modalities), parameters in found.items():
        cells = [NOTHING] * len(COLUMNS)
        cells[0] = cells[1] = _number(parameters)
        cells[8] = _cpu(inputs.benchmarks / "train_answers" / method / modalities)
        yield Line((method_name(method, modalities),), tuple(cells), ANSWERS)


def _frozen(
    records: Mapping[str, Installed], sizes: Mapping[str, int | None], inputs: CostInputs, notes: Notes
) -> Iterator[Line]:
    for role, feature in FEATURE_OF_ROLE.items():
        # with neither model, the audio feature is the log-mel patch's mean and deviation
        nothing = role == "vggish" and "speech_encoder" not in records
        if feature not in inputs.features or (role not in records and not nothing):
            continue
        title = records[role].shown_title if role in records else "no network, statistics of the log-mel patch"
        yield _extractor(feature, title, sizes.get(role, 0), inputs.benchmarks / f"features_{feature}", inputs, notes)
    for one in derived_modalities():
        if one.feature in inputs.features:
            folder = inputs.benchmarks / "features_derived" / one.feature
            yield _extractor(one.feature, f"no network, {one.label}", 0, folder, inputs, notes)


def _extractor(feature: str, title: str, size: int | None, folder: Path, inputs: CostInputs, notes: Notes) -> Line:
    """The line of one frozen extractor, whose jobs were measured in a folder of benchmarks."""
    rows = read_tables([str(path) for path in inputs.features[feature]], FEATURE_INDEX)
    frames = sum(row["frames"] for row in rows if row["status"] == "ok")
    spent = sum(number_of(job, "s") for job in _last_jobs(folder))
    cells = [NOTHING] * len(COLUMNS)
    cells[0], cells[1] = _number(size), _number(0)
    cells[8] = _cpu(folder)
    measured = bool(frames and spent)
    cells[9] = _milliseconds(spent / frames) if measured else Cell("–", note=notes.number(_NOT_HERE))
    return Line((f"{feature}: {title}",), tuple(cells), FROZEN)


def _published(entry: Mapping[str, Any], notes: Notes) -> Line:
    cells = [NOTHING] * len(COLUMNS)
    cells[1], cells[2] = _about(entry["trainable"], 1e6, "M"), _about(entry["parameters"], 1e6, "M")
    cells[4], cells[5] = _about(entry["flops"], 1e9), _about(entry["macs"], 1e9)
    cells[6], cells[9] = _about(entry["epoch_s"]), _about(entry["frame_s"], 1e-3)
    unknown = notes.number("the paper does not say which encoders it counts")
    cells[2], cells[9] = replace(cells[2], note=unknown), replace(cells[9], note=unknown)
    cells[10] = Cell("GPU", "", ("", entry["device"]), note=notes.number(entry["device"]))
    name = f"{entry['method']}, {'+'.join(entry['modalities'])} ({entry['paper']}, {entry['table']})"
    return Line((name,), tuple(cells), PUBLISHED)


def _last_jobs(folder: Path) -> list[dict[str, Any]]:
    """The last measurement of each job of a rule, or of one model's jobs."""
    found = [list(jobs_in(path)) for path in sorted(folder.rglob("*.jsonl"))]
    return [jobs[-1] for jobs in found if jobs]


def _cpu(folder: Path) -> Cell:
    """Mean CPU time of the jobs below a folder of benchmarks."""
    spent = [number_of(job, "cpu_time") for job in _last_jobs(folder)]
    if not any(spent):
        return NOTHING
    mean = sum(spent) / len(spent)
    return Cell(span(mean), f"{len(spent)} jobs" if len(spent) > 1 else "", (mean,))


def _number(value: int | None) -> Cell:
    return NOTHING if value is None else Cell(count(value), values=(value,))


def _giga(value: int) -> Cell:
    return Cell(_digits(value / 1e9), values=(value / 1e9,))


def _seconds(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(_digits(value), values=(value,))


def _milliseconds(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(_digits(1000 * value), values=(1000 * value,))


def _about(value: float, unit: float = 1.0, sign: str = "") -> Cell:
    number = value / unit
    return Cell(f"≈ {_digits(number)}{f' {sign}' if sign else ''}", values=(value if sign else number,))


def _digits(value: float) -> str:
    """Three digits: 0.0084, 6.95, 1,870."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.1e}"
