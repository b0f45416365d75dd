"""Fusion of modalities at frame level."""
