"""Kinds of files that predictions are exported as, and whom they are for."""

from __future__ import annotations

from typing import Literal, get_args

from waver.datasets.consent import Purpose

TABLES, EAF, VTT, TEXTGRID = FORMATS = ("tables", "eaf", "vtt", "textgrid")
"""CSV and Parquet; ELAN; WebVTT; Praat."""
PAGES = "pages"
"""Pages to look at (docs/viewer.md), of a run and for internal use alone."""
ENDINGS = {TABLES: ".csv", EAF: ".eaf", VTT: ".vtt", TEXTGRID: ".TextGrid", PAGES: ".html"}
"""Of the names of the files; those of tables are ``.parquet`` too."""

ExportPurpose = Literal[Purpose, "internal"]
PURPOSES: tuple[ExportPurpose, ...] = get_args(ExportPurpose)
"""Files for a publication or a challenge are of who allowed it; internal ones, for those who may see the recordings."""
