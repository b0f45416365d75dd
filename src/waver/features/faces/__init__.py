"""Faces: detection, tracking, alignment, and what the networks see of them."""
