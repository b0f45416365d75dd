"""Questions put to pretrained language models, and their answers as predictions."""
