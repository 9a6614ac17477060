"""NDJSON files into the lake."""

from components.ingestion.ingestion import Ingestion, IngestionArgs
from components.ingestion.usage import monthly_usage

__all__ = ["Ingestion", "IngestionArgs", "monthly_usage"]
