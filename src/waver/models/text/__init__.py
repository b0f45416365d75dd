"""Video-level models of what was said: from the prior of the question to a fine-tuned encoder."""
