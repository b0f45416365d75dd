"""Temporal context over frame features."""
