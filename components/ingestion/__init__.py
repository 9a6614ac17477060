"""NDJSON files into the lake."""

from components.ingestion.ingestion import ATTACHED_SERVICES, Ingestion, IngestionArgs
from components.ingestion.usage import monthly_usage

__all__ = ["ATTACHED_SERVICES", "Ingestion", "IngestionArgs", "monthly_usage"]
