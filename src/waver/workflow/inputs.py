"""Input functions of the rules that wait for the checkpoint, and what they are planned against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from waver.workflow.run import Wildcards

Files = TypeVar("Files", str, list[str])


class Inputs:
    """Input functions for what is made of the tables of ingest.

    Snakemake runs everything that it has planned below a job that will run, even where the job then writes the same
    file again; what waits for a checkpoint is planned after it, against what it wrote. So after a re-run of ingest
    only shards whose table changed run again. Every rule between ingest and the report takes its inputs through these.
    """

    def __init__(self, shards: Sequence[str], checkpoints: Any) -> None:
        """Of a run's shards and Snakemake's ``checkpoints``, among which ``ingest_tables`` will be."""
        self._shards = shards
        self._checkpoints = checkpoints
        self._known: dict[int, Any] = {}

    def _ingested(self) -> Any:
        """The finished checkpoint, or Snakemake's exception that makes it wait for it.

        Snakemake is called once a state of planning: each call expands every file of ingest, and every job needs
        one, so that time would grow with the square of the shards.
        """
        state = len(self._checkpoints.created_output)
        if state not in self._known:
            try:
                self._known[state] = self._checkpoints.ingest_tables.get()
            except Exception as waiting:
                self._known[state] = waiting
        if isinstance(self._known[state], Exception):
            raise self._known[state].with_traceback(None)
        return self._known[state]

    def after_ingest(self, files: Callable[[Wildcards], Files]) -> Callable[[Wildcards], Files]:
        """The same input function, planned after ingest."""

        def planned(wildcards: Wildcards) -> Files:
            self._ingested()
            return files(wildcards)

        return planned

    def dataset_table(self, name: str) -> Callable[[Wildcards], str]:
        """A table over the whole data set."""
        return lambda wildcards: str(getattr(self._ingested().output, name))

    def of_shard(self, template: str) -> Callable[[Wildcards], str]:
        """The file of the job's own shard."""
        return self.after_ingest(lambda wildcards: template.format(**wildcards))

    def every_shard(self, template: str) -> Callable[[Wildcards], list[str]]:
        """The file of each shard."""
        return self.after_ingest(lambda wildcards: [template.format(shard=shard) for shard in self._shards])
