"""The generated demo data set: synthetic participants who say scripted answers."""
