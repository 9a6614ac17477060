"""Manifest builder on moto's AWS, and the SQS messages that announce files to it."""

from handlers.ingestion.manifest_builder.file_intake import FileIntake
from tests.handlers.ingestion.conftest import NOW, MotoAws
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce

arrivals = announce


def create_builder(aws: MotoAws) -> FileIntake:
    """Return a builder that creates manifests of three files."""
    harness = IngestionHarness(Cloud(NOW))
    harness.clients = lambda _: aws
    return harness.builder()
