"""ingest: the data set, made or given."""

from __future__ import annotations

from pathlib import Path

from waver.assets.manifest import manifest
from waver.datasets.absent_files import check_root
from waver.datasets.inventory import inventory
from waver.datasets.registry import READERS, reader_target
from waver.errors import WaverError
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage


class Ingest(Stage):
    """A data set on disk, read."""

    @property
    def reader(self) -> str:
        """Where the reader of the data set lives, which the job's fingerprint names beside its script."""
        return reader_target(self.config.dataset.reader)

    @property
    def root(self) -> str:
        """Folder of the release: the user's, or that of the generated demo data set."""
        return self.paths.demo_root if self.run.demo else self.config.dataset.root

    def check(self, load: bool) -> None:
        """The reader is known, and the release is there."""
        target = self.reader
        if self.run.demo:
            if target != READERS["bah"]:
                raise WaverError("dataset.source is demo, which the reader bah reads; leave dataset.reader out")
            return
        if not self.root:
            raise WaverError(
                "dataset.root is empty; give the folder of the release, e.g. --config dataset='{root: /data/BAH}', "
                "or use --configfile config/presets/demo.yaml"
            )
        check_root(Path(self.root))

    def inventory(self, wildcards: Wildcards) -> str:
        """Changes when files of the release do."""
        return "generated" if self.run.demo else inventory(Path(self.root))

    def demo_media(self) -> list[str]:
        """Records of what the demo data set is made of."""
        return [f"resources/models/{name}/asset.json" for name, asset in manifest().items() if asset.set == "demo"]
