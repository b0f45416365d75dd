"""Pages to look at recordings with: one static file a recording, and an index; no network, no server."""
