"""One paper's table on one split: the rows of the paper, further methods, and the controls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from typing import Any

from waver.evaluation.control_names import STANDARD
from waver.registry import BACKBONES, VIDEO_MODELS
from waver.report.formatting import count, method_name
from waver.report.papers.cells import NOTHING, OWN_METRICS, columns_of, constants, our_cells, printed_cell
from waver.report.papers.layouts import Layout, Notes, Run, layouts, printed_table, run_caption, splits_at
from waver.report.papers.published import releases
from waver.report.ranking import MethodScores, ranked_methods
from waver.report.tables.formats import Cell, Line, TableData
from waver.training.trained_model import changes, only_window
from waver.zeroshot.records import TUNED, Condition

FOOT = ("all_negative", "all_positive", "question_prior", "content_free")
"""Controls below every table."""
BACKBONE = "@backbone"
"""Method of a layout: the visual backbone of the row's run, which predicts frames itself."""
ALSO, CONTROLS = "Not in the paper", "Controls"
"""Bodies of a table below the paper's rows."""


def paper_tables(layout: Layout, runs: Sequence[Run]) -> list[TableData]:
    """One paper's table, once per scored split; without values of this run where it scored nothing.

    Args:
        layout: an entry of ``tables`` of papers.yaml.
        runs: this run, then others.
    """
    return [PaperTableBuilder(layout, runs, split).table() for split in splits_at(layout["level"], runs)]


class PaperTableBuilder:
    """Builds one table.

    Args:
        layout: an entry of ``tables`` of papers.yaml.
        runs: this run, then others.
        split: split of the scores.
    """

    def __init__(self, layout: Layout, runs: Sequence[Run], split: str) -> None:
        self.layout, self.runs, self.split = layout, runs, split
        self.own, self.printed, self.notes = runs[0], printed_table(layout), Notes()
        self.groups: list[dict[str, Any]] = layout.get("groups", [{}])
        self.found = {run.label: _scores_by_name(run, layout["level"], split) for run in runs}
        self.used: set[tuple[str, str, str]] = set()
        self.ours = 0

    def table(self) -> TableData:
        """The finished table."""
        lines = [self._paper_line(row) for row in self.layout["rows"]]
        lines += [*self._backbone_lines(), *self._variant_lines(), *self._more_lines(), *self._foot()]
        paper = self.printed.paper[0].upper() + self.printed.paper[1:]
        return TableData(
            name=self.layout["table"],
            title=f"{paper}, {self.printed.table}: {self.printed.title}",
            split=self.split,
            caption=self._caption(),
            heads=tuple(self.layout["heads"]),
            columns=tuple(c for g in self.groups for c in columns_of(self.printed.metrics, g.get("head", ""))),
            lines=tuple(lines),
            notes=tuple(self.notes.texts),
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
        """Cells of one row in one group: this run and the paper in turns."""
        _, modalities = self._method(row, group)
        scored = self._scores_of(run, row, group) if run else None
        if run is not None and scored is not None:
            self.used.add((run.label, scored.method, scored.modalities))
            self.ours += 1
            note = self._of_ours(run, scored)
        else:
            note = self.notes.number(self._missing(row, group, run))
        setting = row.get("setting") or group.get("setting")
        return self._with_printed(scored, self._printed(row.get("published"), modalities, setting), note)

    def _scores_of(self, run: Run, row: Layout, group: Layout) -> MethodScores | None:
        """Scores for a row in a group, of the method that either of them names."""
        method, modalities = self._method(row, group)
        if Condition.of(method):  # what such a model is shown follows from its prompt
            return next((one for one in self.found[run.label].values() if one.method == method), None)
        names = [method] if method != BACKBONE else [run.backbone] if run.backbone in BACKBONES else BACKBONES
        return next(filter(None, (self.found[run.label].get((name, modalities)) for name in names)), None)

    def _method(self, row: Layout, group: Layout) -> tuple[str, str]:
        return row.get("method") or group["method"], row.get("modalities") or self.layout["modalities"]

    def _with_printed(self, scored: MethodScores | None, printed: Sequence[Cell], note: int = 0) -> list[Cell]:
        metrics = self.printed.metrics
        ours = our_cells(scored, (*metrics, *OWN_METRICS), note)
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
        """Note that a row was not run, with the lines of the config that run it."""
        how = layouts()["how"]
        if run is None or "otherwise" in row:
            return "not run; to run it: " + str(how[row.get("otherwise", "run")]).format(run=row["run"])
        method, modalities = self._method(row, group)
        kind = self.layout.get("how") or group.get("how", "fusion")
        kind = "tuned" if method.split(".")[0].endswith(TUNED) else kind
        line = how[kind].format(method=method, modalities=modalities, **_prompting(method))
        others = f" in the run {run.label}" if run.label and not run.beside else ""
        return f"not run{others}; to run it: {line}"

    def _of_ours(self, run: Run, scored: MethodScores) -> int:
        """Number of the note of a score: the prompts of a model that was asked, and the other data of another run."""
        mine = next(iter(self.found[self.own.label].values()), None)
        prompt_set = run.prompt_sets.get(scored.method)
        words = [f"asked with the prompts {prompt_set}"] if prompt_set else []
        if run.label and (mine is None or _size(mine) != _size(scored)):
            items = f"{count(_size(scored)[0])} {self.layout['level']}s"
            words.append(f"from the run {run.label}, which was scored on other data: {items}")
        return self.notes.number("; ".join(words)) if words else 0

    # methods that the paper lacks ---------------------------------------------------------------
    def _backbone_lines(self) -> Iterator[Line]:
        """Runs with a backbone that the paper does not list."""
        listed = {row.get("run") for row in self.layout["rows"]}
        for run in self.runs if self.layout.get("backbones") else ():
            scored = any(self._scores_of(run, {}, group) for group in self.groups)
            if run.backbone and run.backbone not in listed and scored:
                cells = [cell for group in self.groups for cell in self._cells({}, group, run)]
                yield Line((run.backbone,), tuple(cells), ALSO)

    def _variant_lines(self) -> Iterator[Line]:
        """Models that a group has beside the paper's, in its columns alone."""
        for run in self.runs:
            for place, group in enumerate(self.groups):
                for scored in self._variants(run, group):
                    self.ours += 1
                    cells = [self._with_printed(None, self._blank) for _ in self.groups]
                    cells[place] = self._with_printed(scored, self._blank, self._of_ours(run, scored))
                    yield Line(self._labelled(_of_run(scored, run)), tuple(chain(*cells)), ALSO)

    def _variants(self, run: Run, group: Layout) -> Iterator[MethodScores]:
        """Variants of the fusion that the group's ``also`` names, with exactly its changes."""
        wanted = group.get("also", {})
        for scored in self.found[run.label].values() if wanted else ():
            about = scored.any
            of_it = about.get("fusion") == wanted["fusion"] and not about.get("video_head")
            if of_it and scored.modalities == self.layout["modalities"] and changes(about) == wanted["changed"]:
                yield scored

    def _more_lines(self) -> Iterator[Line]:
        """Methods of the layout's ``more`` that no row shows."""
        more = self.layout.get("more", {"methods": [], "modalities": []})
        for run in (run for run in self.runs if not run.beside and run.label not in run_names_in_layouts()):
            for (method, modalities), scored in self.found[run.label].items():
                wanted = _wanted(scored, more["methods"]) and _any(modalities, more["modalities"])
                if wanted and (run.label, method, modalities) not in self.used and not only_window(scored.any):
                    self.ours += 1
                    yield self._more_line(run, scored)

    def _more_line(self, run: Run, scored: MethodScores) -> Line:
        cells = self._with_printed(scored, self._blank, self._of_ours(run, scored))
        return Line(self._labelled(_of_run(scored, run)), tuple(cells), ALSO)

    def _labelled(self, name: str) -> tuple[str, ...]:
        return (name, *[""] * (len(self.layout["heads"]) - 1))

    def _foot(self) -> Iterator[Line]:
        """Controls, next to scores of constants on the paper's own test set."""
        for control in FOOT:
            scored = self.found[self.own.label].get((control, ""))
            cells = self._with_printed(scored, constants(control, self.printed))
            yield Line(self._labelled(method_name(control)), tuple(cells * len(self.groups)), CONTROLS)

    def _caption(self) -> str:
        release = releases()[self.printed.release]
        items = f"{count(release[self.printed.level]['n'])} {self.printed.level}s"
        paper = f"; {self.layout['paper']}" if "paper" in self.layout else ""
        parts = [
            f"Published: test split of the release of {self.printed.release} participants "
            f"({release['participants']['test']} participants, {items}{paper}).",
            run_caption(self.found[self.own.label].values(), self.own, self.layout["level"], self.split),
            "In brackets: the 95 % interval over participants; after a published number the constant predictor with "
            "the same score.",
        ]
        parts += [f"Of the published rows: {'; '.join(self.printed.remarks)}."] if self.printed.remarks else []
        return " ".join(parts)


@cache
def run_names_in_layouts() -> frozenset[str]:
    """What rows of any table require of a run: another run of such a name fills these rows alone."""
    return frozenset(row["run"] for layout in layouts()["tables"] for row in layout["rows"] if "run" in row)


def _scores_by_name(run: Run, level: str, split: str) -> dict[tuple[str, str], MethodScores]:
    rows = ranked_methods(run.scores, level, split, STANDARD)
    return {(row.method, row.modalities): row for row in rows}


def _prompting(method: str) -> dict[str, str]:
    """What runs a model that is asked; empty of other methods."""
    condition = Condition.of(method)
    if condition is None:
        return {}
    granularity = "zeroshot.video: true" if condition.window is None else f"zeroshot.windows: [{condition.window}]"
    return {"model": condition.model.removesuffix(TUNED), "prompt": condition.prompt, "granularity": granularity}


def _of_run(scored: MethodScores, run: Run) -> str:
    """Name of a line below the paper's rows."""
    return f"{scored.name}, run {run.label}" if run.label else scored.name


def _size(scored: MethodScores) -> tuple[int, int]:
    return int(scored.any["n"]), int(scored.any["positives"] or 0)


def _wanted(scored: MethodScores, methods: Iterable[str]) -> bool:
    """Whether a layout includes a method: by its name, as any model of frames, or as a video-level model."""
    kinds = {
        "@fusions": bool(scored.any.get("fusion")),
        "@videos": scored.method in VIDEO_MODELS,
        "@asked": Condition.of(scored.method) is not None,
    }
    return any(kinds.get(one, scored.method == one) for one in methods)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
