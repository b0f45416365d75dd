"""Unsupervised domain adaptation: sees labelled source frames and unlabelled target frames."""
