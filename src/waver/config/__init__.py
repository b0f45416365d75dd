"""The configuration: one frozen model, unknown keys refused."""
