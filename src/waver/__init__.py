"""Waver: ambivalence/hesitancy recognition from question-and-answer videos."""

__version__ = "0.1.0"
