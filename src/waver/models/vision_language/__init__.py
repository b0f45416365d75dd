"""Encoders of pictures and sentences in one space."""
