"""Models of whole videos."""
