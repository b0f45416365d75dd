"""Metrics, controls, aggregation and statistics over predictions of any method."""
