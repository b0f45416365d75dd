"""All stages of a run, in the order of the flow, and what their files are together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waver.config.model import load_config
from waver.registry import KINDS, MODALITIES
from waver.report.formatting import is_constant, method_name, uses_labels
from waver.workflow.checks import check_registries
from waver.workflow.run import Run
from waver.workflow.stages.adapt import Adapt
from waver.workflow.stages.answers import Answers
from waver.workflow.stages.backbone import Backbone, Backbones
from waver.workflow.stages.base import Stage
from waver.workflow.stages.costs import Costs
from waver.workflow.stages.evaluate import Evaluate
from waver.workflow.stages.faces import Faces
from waver.workflow.stages.features import Features
from waver.workflow.stages.frames import Frames
from waver.workflow.stages.fusions import Fusions
from waver.workflow.stages.ingest import Ingest
from waver.workflow.stages.models import Models
from waver.workflow.stages.report import Report
from waver.workflow.stages.videos import Videos
from waver.workflow.stages.zeroshot import ZeroShot


class Flow:
    """The stages. A new one needs a file in ``stages``, a line here, and its rules."""

    def __init__(self, run: Run) -> None:
        """Of a config that is not held to the registries yet, see ``checked_flow``."""
        self.run = run
        self.models = Models(run)
        self.ingest = Ingest(run)
        self.backbone = Backbone(run)
        self.features = Features(run, self.backbone)
        # after the features: of several records of one role that of features.visual stands first
        self.backbones = Backbones(run, self.backbone)
        self.frames = Frames(run)
        self.answers = Answers(run)
        self.videos = Videos(run)
        self.adapt = Adapt(run)
        self.fusions = Fusions(run)
        self.faces = Faces(run, self.backbone, self.adapt)
        self.zeroshot = ZeroShot(run)
        self.evaluate = Evaluate(run)
        self.report = Report(run)
        self.costs = Costs(run, self.stages)

    @property
    def stages(self) -> list[Stage]:
        """All of them."""
        return [part for part in vars(self).values() if isinstance(part, Stage)]

    def model_records(self) -> list[str]:
        """The records of all models that the config uses."""
        return [record for stage in self.stages for record in stage.model_records()]

    def installs(self) -> list[str]:
        """The records of all models that are installed, before anything is trained."""
        return [record for stage in self.stages for record in stage.installs()]

    def predictions(self) -> list[str]:
        """Everything that is scored."""
        return [file for stage in self.stages for file in stage.predictions()]

    def methods(self) -> dict[str, list[Any]]:
        """Name -> label, whether it is a constant and whether it uses labels of the target, of all in the report.

        The report's params have them because code fingerprints do not follow the registry. Scores of other runs
        (``report.other_runs``) may be of any method.
        """
        names = {name for stage in self.stages for name in stage.methods()}
        if self.run.config.report.other_runs:
            names |= {name for table in KINDS.values() for name in table}
        return {name: [method_name(name), is_constant(name), uses_labels(name)] for name in sorted(names)}

    def modalities(self) -> dict[str, list[Any]]:
        """Letter -> what the report says of a modality and its features; in the report's params like the methods."""
        return {
            letter: [one.name, one.label, one.feature, list(one.networks), bool(one.function)]
            for letter, one in MODALITIES.items()
        }

    def tables(self) -> dict[str, str]:
        """Field of the report's inputs -> table, of all stages."""
        return {field: path for stage in self.stages for field, path in stage.tables().items()}

    def targets(self) -> list[str]:
        """What a whole run makes."""
        return [self.run.paths.report("report.html"), *(file for stage in self.stages for file in stage.extras())]


def checked_flow(values: Mapping[str, Any], load: bool) -> Flow:
    """The stages of a config that holds.

    Args:
        values: the config as Snakemake has merged it.
        load: hold the options of methods to the methods' own configs too, which imports torch.

    Raises:
        WaverError: one sentence that names the key and the remedy.
    """
    check_registries()
    flow = Flow(Run(load_config(values)))
    for stage in flow.stages:
        stage.check(load)
    flow.installs()  # every model can come from somewhere
    return flow
