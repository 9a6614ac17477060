"""Resources of ingestion, which converts NDJSON files to Parquet in the lake."""

from components.ingestion.ingestion import Ingestion, IngestionArgs, list_endpoint_services
from components.ingestion.usage_estimate import monthly_usage

__all__ = ["Ingestion", "IngestionArgs", "list_endpoint_services", "monthly_usage"]
