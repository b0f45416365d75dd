"""Parts of the conflict model: affect of each modality, conflict between and within them, gates, losses."""
