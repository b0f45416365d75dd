"""The papers' tables, filled with the runs' scores beside the printed ones."""
