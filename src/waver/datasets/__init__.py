"""Data sets: the BAH release layouts, splits, consent, and the demo data set."""
