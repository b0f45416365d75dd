"""Video-level decisions."""
