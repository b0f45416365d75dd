"""How files of tests are handed to the workers of pytest-xdist, also after a worker has died."""

from __future__ import annotations

from collections.abc import Sequence

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

TOGETHER = ("tests/e2e/", "tests/slurm/")
"""Folders that go to one worker, because all their files share a run that takes minutes."""


class FileScheduling(LoadFileScheduling):
    """``--dist loadfile`` that goes on after a worker's death.

    That of pytest-xdist 3.8.0 gives the test on which a worker died to the next worker, which dies of it too;
    hands out files without a test left, or with one alone, for which a worker waits for ever (its issues 784, 1323,
    1327, 1378); and gives work to a worker that has not yet collected its tests (1189, 1362).
    """

    def _split_scope(self, nodeid: str) -> str:
        """File of a test, or its folder where the files stay together."""
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))

    def remove_node(self, node: WorkerController) -> str | None:
        """Take what a worker had not done back; the test on which it died counts as done, and is returned."""
        workload = self.assigned_work.pop(node)
        self.registered_collections.pop(node, None)
        left = [(file, tests) for file, tests in workload.items() if not all(tests.values())]
        crashed = next((name for _, tests in left for name, done in tests.items() if not done), None)
        if crashed:
            left[0][1][crashed] = True
        for file, tests in reversed(left):
            if not all(tests.values()):
                self.workqueue[file] = tests
                self.workqueue.move_to_end(file, last=False)
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    @property
    def collection_is_completed(self) -> bool:
        """True once tests were handed out, or every worker has told what it collected."""
        return self.collection is not None or super().collection_is_completed

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take a worker's list of tests; that of a replacement must be the list of the others."""
        if self.collection is not None and list(collection) != self.collection:
            raise RuntimeError(f"worker {node.gateway.id} collected other tests than the workers before it")
        self.registered_collections[node] = list(collection)

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker files until it has three tests to come; it starts one only when it knows the next."""
        if node not in self.registered_collections or node.shutting_down:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= 2:
            if not self._assigned(node):
                return
        if not self.workqueue:
            node.shutdown()

    def _assigned(self, node: WorkerController) -> bool:
        """Give a worker a file; False when it has died, of which word is on its way."""
        file, tests = next(iter(self.workqueue.items()))
        try:
            self._assign_work_unit(node)
        except OSError:
            del self.assigned_work[node][file]
            self.workqueue[file] = tests
            self.workqueue.move_to_end(file, last=False)
            return False
        return True
