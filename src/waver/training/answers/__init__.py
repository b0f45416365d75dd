"""Training and prediction of models of answers."""
