"""The stages: for each what its rules take from the config, and what it gives to the others."""
