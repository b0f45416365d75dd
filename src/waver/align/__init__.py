"""All modalities and labels on the 24 fps clock, packed for training."""
