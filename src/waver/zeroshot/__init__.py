"""Large models that are asked, without training, whether a video shows A/H."""
