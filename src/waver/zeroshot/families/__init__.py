"""Families of models that can be asked: one file each, found by the registry."""
