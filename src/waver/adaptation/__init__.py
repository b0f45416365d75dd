"""Personalisation: the target-participant protocol and its methods."""
