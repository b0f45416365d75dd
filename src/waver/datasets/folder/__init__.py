"""A folder of videos with CSV tables: anybody's recordings of answers to questions."""
