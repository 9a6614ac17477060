"""Resources of ingestion, which converts NDJSON files to Parquet in the lake."""
