"""What people annotated in ELAN: annotation files, tab-delimited exports, and which tier says what."""
