"""What a stage is to the rest of the workflow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waver.workflow.run import Run


@dataclass(frozen=True)
class Trained:
    """A trained model: what the measurement of its costs needs to know, and where its files lie.

    Attributes:
        unit: window or video, see ``waver.training.profiling.measure``.
        record: method and modalities, and of a model of frames the rest of what is known.
        modules: what it is built of.
        roles: of the models that it is built on, or begins with.
        files: name -> that file of every seed.
    """

    unit: str
    record: dict[str, Any]
    modules: Sequence[str]
    roles: Sequence[str]
    files: Callable[[str], list[str]]


class Stage:
    """A stage of the flow, or the part of one that trains one kind of model.

    A subclass adds what its own rules need for their inputs, outputs and params. The methods below are what other
    stages need of it; each has a default, and a subclass overrides those that apply.
    """

    def __init__(self, run: Run) -> None:
        """A stage of a run."""
        self.run = run
        self.config = run.config
        self.paths = run.paths

    def check(self, load: bool) -> None:
        """Hold the config to what the stage can do and to what is there.

        Args:
            load: check what needs the methods' own modules too, and torch with them.

        Raises:
            WaverError: one sentence that names the key and the remedy.
        """

    def model_records(self) -> list[str]:
        """Records of the models that the stage's jobs read, for the report."""
        return []

    def installs(self) -> list[str]:
        """Records of the models that have to be installed first: those that the jobs read, but for trained ones."""
        return [record for record in self.model_records() if record.startswith("resources/models/")]

    def predictions(self) -> list[str]:
        """Predictions to be scored."""
        return []

    def methods(self) -> Iterable[str]:
        """Names of the methods that they are of."""
        return ()

    def trained(self) -> Mapping[str, Trained]:
        """Folder below ``results/<run>/train`` -> the model in it, of every model whose costs are measured."""
        return {}

    def tables(self) -> dict[str, str]:
        """Field of the report's inputs -> table of the stage, of those that not every run has."""
        return {}

    def extras(self) -> list[str]:
        """Files that a whole run makes although no other rule reads them."""
        return []


class OneJobModels(Stage, ABC):
    """A stage of models each of which one job trains, on the splits and on the folds."""

    @abstractmethod
    def outputs(self, name: str) -> list[str]:
        """A file of every model in the config."""

    def predictions(self) -> list[str]:
        """Of the splits and out of fold."""
        folds = self.outputs("folds.parquet") if self.run.cross_validated else []
        return [*self.outputs("predictions.parquet"), *folds]
