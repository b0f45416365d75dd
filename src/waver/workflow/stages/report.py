"""report: the papers' tables and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from waver.errors import WaverError
from waver.workflow.stages.base import Stage


class Report(Stage):
    """What a reader is shown of a run."""

    def check(self, load: bool) -> None:
        """The runs that ``report.other_runs`` names are finished, and are others than this one."""
        for name, path in zip(self.config.report.other_runs, self.other_scores(), strict=True):
            if name in self.config.train.backbones:
                raise WaverError(f"report.other_runs.{name}: train.backbones has {name} too; leave one of them out")
            if Path(path).absolute() == Path(self.paths.scores).absolute():
                raise WaverError(f"report.other_runs.{name} names this run itself; leave it out")
            if not Path(path).is_file():
                raise WaverError(
                    f"report.other_runs.{name}: there is no {path}; finish that run first, or correct the folder"
                )

    def other_scores(self) -> list[str]:
        """Scores of the runs that ``report.other_runs`` names."""
        return [f"{folder.rstrip('/')}/evaluate/scores.parquet" for folder in self.config.report.other_runs.values()]

    def backbone(self) -> str:
        """The visual backbone whose rows of the papers' tables this run may fill; none without videos."""
        return self.config.features.visual.backbone if self.run.recorded else ""

    def table_kinds(self) -> list[str]:
        """Kinds of rows of the papers' tables that this run can fill, apart from those of its visual backbone."""
        nothing_fitted = self.config.videos.options.get("emoclip", {}).get("zero_shot", False)
        return ["zero_shot" if nothing_fitted else "fine_tuned"]

    def page_config(self) -> dict[str, Any]:
        """The part of the config that the page is made by."""
        config = self.config
        return {
            "report": config.report.model_dump(),
            "evaluate": config.evaluate.model_dump(),
            "model_set": self.run.model_set,
            "dataset": config.dataset.name,
            "released": not self.run.demo and config.dataset.reader == "bah",
            "select": config.train.select,
            **self.run.folding,
        }
