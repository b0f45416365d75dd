"""What the folder of a model is made from: the files of a finished run, read once; nothing is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from waver import __version__
from waver.datasets.consent import learner_mark
from waver.errors import WaverError
from waver.io.site_secret import site_secret
from waver.io.tables import ANSWERS, PARTICIPANTS, SCORES, read_table, read_tables
from waver.predict.model_card import card_text, data_facts, licence_chain, shown_rows
from waver.predict.model_folder import TRAINED_ON, HandedModel, add_graph, write_model_folder
from waver.predict.preparation import provenance
from waver.predict.trained import Trained, load_trained
from waver.provenance import versions
from waver.training.trained_model import TrainedModel

Row = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A run with scores, as its files say what they were made from.

    Attributes:
        folder: ``results/<run>``.
        trained: the model of it.
    """

    folder: Path
    trained: Trained

    @property
    def model(self) -> TrainedModel:
        """The model's record.

        Raises:
            WaverError: it is not among those that were scored.
        """
        method, modalities, _ = self.trained.name.split("/")
        for one in self._scored["params"]["models"]:
            if (one["method"], one["modalities"], one["video_head"]) == (method, modalities, False):
                return TrainedModel(**one)
        raise WaverError(f"{self.folder} has no scores of {method} on {modalities}; finish the run first")

    @property
    def evaluate(self) -> dict[str, Any]:
        """Section of the config by which it was scored."""
        config: dict[str, Any] = self._scored["params"]["config"]
        return config

    @property
    def scores(self) -> list[Row]:
        """Rows of SCORES."""
        return read_table(self._scores, SCORES)

    @cached_property
    def answers(self) -> list[Path]:
        """ANSWERS tables."""
        return [path for path in self._inputs if path.name.endswith(".answers.parquet")]

    @cached_property
    def people(self) -> Path:
        """The table of participants."""
        return next(path for path in self._inputs if path.name == "participants.parquet")

    @property
    def _scores(self) -> Path:
        return self.folder / "evaluate/scores.parquet"

    @cached_property
    def _scored(self) -> dict[str, Any]:
        return provenance(self._scores)

    @property
    def _inputs(self) -> list[Path]:
        root = Path(os.path.abspath(self.folder)).parents[1]
        return [root / path for path in self._scored["input"]]


def export_model(
    folder: Path, method: str, seed: int | None, out: Path, licences: Mapping[str, str], graph: bool,
    secret: Path | None = None,
) -> HandedModel:  # fmt: skip
    """Write the folder of a model.

    Args:
        folder: ``results/<run>`` of a finished run.
        method: ``<fusion>/<modalities>``; empty: the best one on val.
        seed: of the training; None: the best one on val.
        out: folder to write.
        licences: role -> licence, of models that were given by path or trained in the run.
        graph: add an ONNX graph.
        secret: file with the secret of the site, by which it can tell later whom the model learnt from; None: that of
            the run's working folder.

    Raises:
        WaverError: the run is not finished, a licence is unknown, there is no control, or the graph cannot be made.
    """
    run = Finished(folder, load_trained(folder, method, seed))
    trained = run.trained
    if trained.controls is None:
        raise WaverError(
            f"{folder}: the training recordings have labels of one class alone, so there is no control to hand over "
            "with the model; check the annotation files and the split"
        )
    site = site_secret(secret or Path(os.path.abspath(folder)).parents[1] / ".waver/secret")
    chain = licence_chain(_models_of(trained), licences)
    onnx = _graph(trained) if graph else b""
    people, answers = read_table(run.people, PARTICIPANTS), read_tables(run.answers, ANSWERS)
    trained_on = [row["participant"] for row in people if row["split"] in ("train", "val")]
    handed = HandedModel(
        trained=trained,
        about={
            "model": {**run.model.record, "seed": int(trained.name.split("/")[2])},
            "data": data_facts(run.people, people, answers, int(run.evaluate["least_group"])),
            # sorted: the order of the table would tell whose is whose
            TRAINED_ON: sorted(learner_mark(one, site) for one in trained_on),
            "scores": shown_rows(run.scores, run.model),
            "licences": chain,
            "versions": versions("torch", "numpy", "transformers") | {"waver": __version__},
        },
    )
    names = {row["participant"] for row in people} | {row["video"] for row in answers}
    write_model_folder(out, handed, card_text(handed), sorted(names))
    if onnx:
        add_graph(out, onnx)
    return handed


def _models_of(trained: Trained) -> list[Any]:
    """Records of the frozen models of the features that the model needs, each once."""
    needed = trained.preparation.needed(trained.checkpoint.modalities)
    records = [one for feature in needed for one in trained.preparation.models.get(feature, ())]
    return list({record.name: record for record in records}.values())


def _graph(trained: Trained) -> bytes:
    from waver.predict.onnx_graph import exported  # ONNX is loaded where a graph is wanted

    return exported(trained.checkpoint)
