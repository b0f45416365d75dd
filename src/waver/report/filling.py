"""One paper's table on one split, filled: the paper's rows, what it does not have, the controls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from waver.evaluation.names import STANDARD
from waver.models.registry import VIDEO_MODELS
from waver.report.paper_cells import NOTHING, OWN_METRICS, columns_of, constants, our_cells, printed_cell
from waver.report.papers import Layout, Notes, Run, layouts, printed_table, run_caption, splits_at
from waver.report.published import releases
from waver.report.sheets import Cell, Line, Sheet
from waver.report.standings import Standing, standings
from waver.report.wording import count, method_name
from waver.training.names import changes, only_window

FOOT = ("all_negative", "all_positive", "question_prior", "content_free")
"""Controls below every table."""
ALSO, CONTROLS = "Not in the paper", "Controls"
"""Bodies of a table below the paper's rows."""


def paper_sheets(layout: Layout, runs: Sequence[Run]) -> list[Sheet]:
    """One paper's table, once a split that was scored; without values of ours where nothing was.

    Args:
        layout: an entry of ``tables`` of papers.yaml.
        runs: this run, then others.
    """
    return [Filling(layout, runs, split).sheet() for split in splits_at(layout["level"], runs)]


class Filling:
    """A table while it is filled.

    Args:
        layout: an entry of ``tables`` of papers.yaml.
        runs: this run, then others.
        split: what is shown.
    """

    def __init__(self, layout: Layout, runs: Sequence[Run], split: str) -> None:
        self.layout, self.runs, self.split = layout, runs, split
        self.own, self.printed, self.notes = runs[0], printed_table(layout), Notes()
        self.groups: list[dict[str, Any]] = layout.get("groups", [{}])
        self.found = {run.label: _standings(run, layout["level"], split) for run in runs}
        self.used: set[tuple[str, str, str]] = set()
        self.ours = 0

    def sheet(self) -> Sheet:
        """The finished table."""
        lines = [self._paper_line(row) for row in self.layout["rows"]]
        lines += [*self._backbone_lines(), *self._more_lines(), *self._foot()]
        paper = self.printed.paper[0].upper() + self.printed.paper[1:]
        return Sheet(
            name=self.layout["table"],
            title=f"{paper}, {self.printed.table}: {self.printed.title}",
            split=self.split,
            caption=self._caption(),
            heads=tuple(self.layout["heads"]),
            columns=tuple(c for g in self.groups for c in columns_of(self.printed.metrics, g.get("head", ""))),
            lines=tuple(lines),
            notes=tuple(self.notes.told),
            ours=self.ours,
        )

    # the paper's rows ---------------------------------------------------------------------------
    def _paper_line(self, row: Layout) -> Line:
        run = self._run_of(row.get("run"))
        cells = [cell for group in self.groups for cell in self._cells(row, group, run)]
        return Line(tuple(row["labels"]), tuple(cells), "")

    def _run_of(self, kind: str | None) -> Run | None:
        if kind is None:
            return self.own
        return next((run for run in self.runs if kind in run.kinds), None)

    def _cells(self, row: Layout, group: Layout, run: Run | None) -> list[Cell]:
        """Cells of one row in one group: ours and printed in turns."""
        _, modalities = self._method(row, group)
        standing = self._standing(run, row, group) if run else None
        if run is not None and standing is not None:
            self.used.add((run.label, standing.method, modalities))
            self.ours += 1
            note = self._other_items(run, standing)
        else:
            note = self.notes.number(self._missing(row, group, run))
        setting = row.get("setting") or group.get("setting")
        return self._beside(standing, self._printed(row.get("published"), modalities, setting), note)

    def _standing(self, run: Run, row: Layout, group: Layout) -> Standing | None:
        """What fills a row in a group: the method of its name, or the variant that changes just what is asked."""
        method, modalities = self._method(row, group)
        if "changed" not in group:
            return self.found[run.label].get((method, modalities))
        here = [one for one in self.found[run.label].values() if one.modalities == modalities]
        variants = [one for one in here if one.any.get("fusion") == method and not one.any.get("video_head")]
        return next((one for one in variants if changes(one.any) == group["changed"]), None)

    def _method(self, row: Layout, group: Layout) -> tuple[str, str]:
        return row.get("method") or group["method"], row.get("modalities") or self.layout["modalities"]

    def _beside(self, standing: Standing | None, printed: Sequence[Cell], note: int = 0) -> list[Cell]:
        metrics = self.printed.metrics
        ours = our_cells(standing, (*metrics, *OWN_METRICS), note)
        pairs = [cell for pair in zip(ours[: len(metrics)], printed, strict=True) for cell in pair]
        return [*pairs, *ours[len(metrics) :]]

    def _printed(self, method: str | None, modalities: str, setting: str | None) -> list[Cell]:
        for name, letters, how, cells in self.printed.rows:
            if (name, letters) == (method, modalities) and setting in (None, how):
                return [printed_cell(cell) for cell in cells]
        return self._blank

    @property
    def _blank(self) -> list[Cell]:
        return [NOTHING] * len(self.printed.metrics)

    def _missing(self, row: Layout, group: Layout, run: Run | None) -> str:
        """That a row was not run, and the lines of the config that would run it."""
        how = layouts()["how"]
        if run is None or "otherwise" in row:
            return "not run; it would be with " + str(how[row.get("otherwise", "run")]).format(run=row["run"])
        method, modalities = self._method(row, group)
        kind = self.layout.get("how") or ("variant" if "changed" in group else "fusion")
        lines = [how[kind].format(method=method, variant=group.get("variant"), modalities=modalities)]
        lines += [group["config"]] if "config" in group else []
        others = f" in the run {run.label}" if run.label else ""
        return f"not run{others}; it would be with {' and '.join(lines)}"

    def _other_items(self, run: Run, standing: Standing) -> int:
        """Number of the note that another run was scored on other items than this one; 0 where it was not."""
        mine = next(iter(self.found[self.own.label].values()), None)
        if not run.label or (mine is not None and _size(mine) == _size(standing)):
            return 0
        items = f"{count(_size(standing)[0])} {self.layout['level']}s"
        return self.notes.number(f"from the run {run.label}, which was scored on other data: {items}")

    # what the paper does not have ---------------------------------------------------------------
    def _backbone_lines(self) -> Iterator[Line]:
        """Runs whose backbone the paper does not list."""
        listed = {row.get("run") for row in self.layout["rows"]}
        for run in self.runs if self.layout.get("backbones") else ():
            scored = any(self._standing(run, {}, group) for group in self.groups)
            if run.backbone and run.backbone not in listed and scored:
                cells = [cell for group in self.groups for cell in self._cells({}, group, run)]
                yield Line((run.backbone,), tuple(cells), ALSO)

    def _more_lines(self) -> Iterator[Line]:
        """Methods of the layout's ``more`` that no row has taken."""
        more = self.layout.get("more", {"methods": [], "modalities": []})
        for run in (run for run in self.runs if run.label not in asked_of_runs()):
            for (method, modalities), standing in self.found[run.label].items():
                wanted = _asked(standing, more["methods"]) and _any(modalities, more["modalities"])
                if wanted and (run.label, method, modalities) not in self.used and not only_window(standing.any):
                    self.ours += 1
                    yield self._more_line(run, standing)

    def _more_line(self, run: Run, standing: Standing) -> Line:
        name = f"{standing.name}, run {run.label}" if run.label else standing.name
        cells = self._beside(standing, self._blank, self._other_items(run, standing))
        return Line(self._labelled(name), tuple(cells), ALSO)

    def _labelled(self, name: str) -> tuple[str, ...]:
        return (name, *[""] * (len(self.layout["heads"]) - 1))

    def _foot(self) -> Iterator[Line]:
        """Controls, beside what constants score on the paper's own test set."""
        for control in FOOT:
            standing = self.found[self.own.label].get((control, ""))
            cells = self._beside(standing, constants(control, self.printed))
            yield Line(self._labelled(method_name(control)), tuple(cells * len(self.groups)), CONTROLS)

    def _caption(self) -> str:
        release = releases()[self.printed.release]
        items = f"{count(release[self.printed.level]['n'])} {self.printed.level}s"
        paper = f"; {self.layout['paper']}" if "paper" in self.layout else ""
        told = [
            f"Published: test split of the release of {self.printed.release} participants "
            f"({release['participants']['test']} participants, {items}{paper}).",
            run_caption(self.found[self.own.label].values(), self.own, self.layout["level"], self.split),
            "In brackets: the 95 % interval over participants; beside a published number the constant predictor "
            "that scores the same.",
        ]
        told += [f"Of the published rows: {'; '.join(self.printed.remarks)}."] if self.printed.remarks else []
        return " ".join(told)


@cache
def asked_of_runs() -> frozenset[str]:
    """What rows of any table ask of a run: a run beside that has such a name fills these rows alone."""
    return frozenset(row["run"] for layout in layouts()["tables"] for row in layout["rows"] if "run" in row)


def _standings(run: Run, level: str, split: str) -> dict[tuple[str, str], Standing]:
    rows = standings(run.scores, level, split, STANDARD)
    return {(row.method, row.modalities): row for row in rows}


def _size(standing: Standing) -> tuple[int, int]:
    return int(standing.any["n"]), int(standing.any["positives"])


def _asked(standing: Standing, methods: Iterable[str]) -> bool:
    """Whether a method is among those of a layout: by its name, as any model of frames, or as a video-level model."""
    kinds = {"@fusions": bool(standing.any.get("fusion")), "@videos": standing.method in VIDEO_MODELS}
    return any(kinds.get(one, standing.method == one) for one in methods)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
