"""The BAH release: its layouts, annotation, splits, metadata and frame labels."""
