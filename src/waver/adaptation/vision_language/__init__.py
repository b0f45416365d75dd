"""Personalisation of CLIP: what its methods are given, and the loop over participants."""
