"""Figures of the report, in one style."""
