"""The Zarr and Parquet contracts: one reader, one writer."""
