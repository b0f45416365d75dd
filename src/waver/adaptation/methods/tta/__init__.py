"""Test-time adaptation: sees the test frames alone, unlabelled, as they arrive."""
