"""Between Snakemake and the library: what a job begins with, and what the rules take from the config."""
