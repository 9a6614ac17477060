"""Recorded deployment of ingestion for tests."""

from components.blocks.naming.context import Subsystem
from components.ingestion import Ingestion, IngestionArgs
from components.settings import IngestionSettings
from tests.components.deployment_harness import Deployment

INGESTION = Deployment(Subsystem.INGESTION, Ingestion, IngestionArgs, IngestionSettings)
ingestion = INGESTION.preview
"""Function that returns the recorded resources, as a preview of a stack with these settings registers them."""
