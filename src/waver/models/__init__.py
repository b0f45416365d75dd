"""Networks: contracts, registry, and one file per method."""
