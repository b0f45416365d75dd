"""File names of the tables, for the rules; this module imports nothing heavy."""

from __future__ import annotations

FIGURE = "2025_figure_12"
"""The length of the window; as a table and as a figure."""

TABLES = (
    *(f"2026_table_{number}" for number in (1, 2, 3, 4)),
    *(f"2026_table_7_{level}" for level in ("video", "frame")),
    *(f"2025_table_{number}" for number in (5, 6, 7, 15, 16, 17, 19, 20, 21)),
    FIGURE,
    "compute",
)
"""Tables of the papers by year and number, and the table of costs."""
