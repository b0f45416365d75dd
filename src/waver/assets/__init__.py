"""The models and media in use: a manifest, verified by sha256."""
