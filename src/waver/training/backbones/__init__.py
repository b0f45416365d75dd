"""Training of the visual backbone, on emotions and on frames."""
