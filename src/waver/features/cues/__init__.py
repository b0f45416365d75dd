"""Hand-crafted cues of voice, pauses and words, and the targets of affect."""
