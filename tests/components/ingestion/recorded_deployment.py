"""Recorded deployment of ingestion for tests."""

from components.core import Subsystem
from components.ingestion.ingestion import Ingestion
from components.settings import IngestionSettings
from tests.components.deployment_harness import Deployment

INGESTION = Deployment(Subsystem.INGESTION, Ingestion, IngestionSettings)
deployed = INGESTION.deployed
"""Function that returns the recorded resources with the default settings, or with the settings that it is given."""
