"""Sound of every frame: log-mel, VGGish, pretrained speech encoders, prosody."""
