"""What the data set says: people, answers, segments, and what the annotators saw."""
