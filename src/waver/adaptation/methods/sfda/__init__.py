"""Source-free domain adaptation: sees unlabelled target frames alone."""
