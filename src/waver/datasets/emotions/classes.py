"""The basic emotions that the papers tell apart."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""Classes, in the order of the output."""
