"""Personalisation of trained fusions."""
