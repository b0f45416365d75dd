"""Training and prediction of frame-level models."""
