"""New recordings: what a trained model says of them, in files that people read."""
