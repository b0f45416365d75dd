"""Readers of models that some configs use and others do not; nothing is imported until it is asked for."""

from __future__ import annotations

LOADERS: dict[str, str] = {
    "speech_encoder": "waver.features.speech_encoder:SpeechEncoder",
    "sentiment": "waver.features.sentiment:load_sentiment",
}
"""Role of the model -> what reads it; a rule adds the ones that it uses to the code that its outputs depend on."""
