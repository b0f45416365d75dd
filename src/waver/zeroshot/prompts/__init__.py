"""Prompts as data: three published versions, and how a prompt is read and filled."""
