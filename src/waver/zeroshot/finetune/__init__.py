"""Models that are asked, after their language model has learned the answers of the participants of train."""
