"""Methods that adapt CLIP, or what is read out of it, to a stream of frames."""
