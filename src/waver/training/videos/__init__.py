"""Training and prediction of video-level models."""
