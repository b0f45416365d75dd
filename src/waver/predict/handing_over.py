"""What the folder of a model is made from: the files of a finished run, read once; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from waver import __version__
from waver.assets.manifest import Installed, read_record
from waver.config.model import Config
from waver.datasets.questions import Questions, questions_of, rows_with_questions
from waver.errors import WaverError
from waver.evaluation.controls import content_free, frame_items, video_items
from waver.evaluation.labels import Truth, frame_truth, video_truth
from waver.evaluation.predictions import Predicted, read_predictions, to_videos
from waver.io.tables import ANSWERS, PACK_INDEX, PARTICIPANTS, SCORES, read_table, read_tables
from waver.predict.bands import Calibration, calibrate
from waver.predict.linear_control import LinearControl, question_shares
from waver.predict.model_card import card_text, data_facts, licence_chain, shown_rows
from waver.predict.model_folder import HandedModel, add_graph, write_model_folder
from waver.provenance import digest, versions
from waver.training.frames.checkpoint import Checkpoint, load_checkpoint
from waver.training.frames.variants import recipe_of
from waver.training.trained_model import TrainedModel
from waver.workflow.flow import Flow
from waver.workflow.run import Run

_SECTIONS, _MODELS = {"features", "align"}, {"set", "roles"}
"""Keys of the config that decide how features of new recordings are made; paths are those of one machine."""


@dataclass(frozen=True)
class Source:
    """Files of a run that a model is exported from, below a working folder.

    Attributes:
        config: of the run.
        folder: working folder of the workflow.
        model: which model.
        seed: which of its seeds.
    """

    config: Config
    folder: Path
    model: TrainedModel
    seed: int

    @cached_property
    def flow(self) -> Flow:
        """The stages of the run."""
        return Flow(Run(self.config))

    def trained(self, name: str) -> Path:
        """A file of the trained model.

        Raises:
            WaverError: it is not there.
        """
        names = {"fusion": self.model.method, "modalities": self.model.modalities, "seed": self.seed}
        return self._there(self.flow.run.paths.train(name).format(**names))

    def of_shards(self, template: str) -> list[Path]:
        """A file of every shard."""
        return [self._there(template.format(shard=shard)) for shard in self.flow.run.shards]

    @property
    def indexes(self) -> list[Path]:
        return self.of_shards(self.flow.run.paths.pack_index)

    @property
    def packs(self) -> Path:
        return self.folder / Path(self.flow.run.paths.pack_index).parent / "packs"

    @property
    def answers(self) -> list[Path]:
        return self.of_shards(self.flow.run.paths.shard_table("answers"))

    def participants(self) -> list[dict[str, Any]]:
        """Rows of the table of participants."""
        return read_table(self._there(self.flow.run.paths.table("participants")), PARTICIPANTS)

    def scores(self) -> list[dict[str, Any]]:
        """Rows of the table of scores."""
        return read_table(self._there(self.flow.run.paths.scores), SCORES)

    def feature_models(self) -> list[Installed]:
        """Records of the models that make the features; those of modalities that the model lacks, too."""
        return [read_record(self._there(record)) for record in self.flow.features.model_records()]

    def _there(self, path: str) -> Path:
        found = self.folder / path
        if not found.is_file():
            raise WaverError(f"{found} is missing; finish the run first, with the config that you give here")
        return found


def export_model(source: Source, out: Path, licences: Mapping[str, str], graph: bool) -> HandedModel:
    """Write the folder of a model.

    Args:
        source: the run.
        out: folder to write.
        licences: role -> licence, of models that were given by path.
        graph: add an ONNX graph.

    Raises:
        WaverError: the run is not finished or was made with another config, a licence is unknown, or the graph
            cannot be made.
    """
    checkpoint = load_checkpoint(source.trained("model.pt"))
    recipe = recipe_of(source.config.train, source.model.method).recipe
    if digest(checkpoint.record["config"]) != digest(recipe):
        raise WaverError(f"{source.trained('model.pt')} was trained with another config; give that of the run")
    onnx = _graph(checkpoint) if graph else b""
    participants, chain = source.participants(), licence_chain(source.feature_models(), licences)
    controls, questions = _controls(source)
    evaluate = source.config.evaluate
    handed = HandedModel(
        checkpoint=checkpoint,
        calibration={level: _calibrated(*found, evaluate.least_group) for level, found in _val(source).items()},
        video_rule={"rule": evaluate.video_rule, "window_frames": evaluate.window_frames},
        controls=controls,
        questions=questions,
        question_shares=question_shares(read_tables(source.answers, ANSWERS), evaluate.least_group),
        config={
            **source.config.model_dump(mode="json", include=_SECTIONS),
            "models": source.config.models.model_dump(mode="json", include=_MODELS),
        },
        about={
            "model": source.model.record | {"seed": source.seed},
            "data": data_facts(source.config, participants, read_tables(source.answers, ANSWERS)),
            "scores": shown_rows(source.scores(), source.model),
            "licences": chain,
            "versions": versions("torch", "numpy", "transformers") | {"waver": __version__},
        },
    )
    names = {row["participant"] for row in participants} | {
        row["video"] for row in read_tables(source.answers, ANSWERS)
    }
    write_model_folder(out, handed, card_text(handed), sorted(names))
    if onnx:
        add_graph(out, onnx)
    return handed


def _graph(checkpoint: Checkpoint) -> bytes:
    from waver.predict.onnx_graph import exported  # onnx is loaded where a graph is wanted

    return exported(checkpoint)


def _controls(source: Source) -> tuple[dict[str, LinearControl], Questions]:
    """The content-free control of frames and of videos, and the questions that it knows."""
    packed = [row for row in rows_with_questions(source.indexes, PACK_INDEX) if row["status"] == "ok"]
    answers = rows_with_questions(source.answers, ANSWERS)
    timed = any(row["duration_s"] is not None for row in answers)
    frames = frame_items(packed, source.indexes, source.packs)
    videos = video_items(answers, {row["video"]: row for row in packed})
    controls = {
        "frame": LinearControl.of(content_free(frames), "frame"),
        "video": LinearControl.of(content_free(videos), "video", timed),
    }
    return controls, questions_of(source.answers[0])


def _val(source: Source) -> dict[str, tuple[Predicted, Truth]]:
    """The model's predictions of the val split and their truth, by level."""
    truths = {
        "frame": frame_truth(source.indexes, source.packs, ["val"]),
        "video": video_truth(source.answers, ["val"]),
    }
    (frames,) = read_predictions([source.trained("predictions.parquet")], truths, [source.model.record])
    evaluate = source.config.evaluate
    videos = to_videos(frames, truths["frame"], truths["video"], evaluate.window_frames, evaluate.video_rule)
    return {"frame": (frames, truths["frame"]), "video": (videos, truths["video"])}


def _calibrated(predicted: Predicted, truth: Truth, least_group: int) -> Calibration:
    known = truth.label[predicted.item] >= 0
    item = predicted.item[known]
    return calibrate(predicted.margin[known], truth.label[item], truth.participant[item], least_group)
