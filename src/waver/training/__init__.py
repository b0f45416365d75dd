"""Data set, losses, loop and checkpoints of supervised training."""
