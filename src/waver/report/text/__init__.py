"""Sentences of the report: summary, findings, exclusions, facts."""
