"""Manifest builder on moto's AWS, and the SQS messages that announce files to it."""

from typing import Any

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.ulid import ulid
from handlers.ingestion.arrived_files import AdmissionRules
from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_builder.manifest_builder import ManifestBuilder
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_documents import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestWorkflow
from handlers.ingestion.manifest_records import ManifestRecords
from tests.handlers.ingestion.conftest import NOW, MotoAws
from tests.handlers.ingestion.s3_messages import body, record

ARRIVED = "2026-01-03T11:59:58.000Z"
MANIFEST_ID = ulid(NOW, 1)


def create_builder(
    aws: MotoAws,
    *,
    stepfunctions: Any = None,
    dynamodb: Any = None,
    size: int = 3,
    most_bytes: int = 10**9,
    workers: int = 1,
) -> ManifestBuilder:
    where = (dynamodb or aws.dynamodb, aws.table, 400, lambda: NOW)
    numbers = iter(range(1, 100))
    shared: dict[str, Any] = {"parallel": ParallelCalls(workers), "log": EventLog("DEBUG"), "clock": lambda: NOW}
    creator = ManifestCreator(
        FileTable(*where),
        ManifestRecords(*where),
        ManifestDocuments(aws.s3, aws.lake),
        ManifestWorkflow(stepfunctions or aws.stepfunctions, aws.state_machine_arn),
        new_id=lambda: ulid(NOW, next(numbers)),
        files_per_manifest=size,
        manifest_bytes=most_bytes,
        **shared,
    )
    return ManifestBuilder(
        FileTable(aws.dynamodb, aws.table, 400, lambda: NOW),
        AdmissionRules.from_setting(ALLOWED_SUFFIXES, 5 * 1024**3),
        creator,
        **shared,
    )


def message(text: str, identifier: str = "m1") -> dict[str, Any]:
    return {"messageId": identifier, "body": text}


def arrival(key: str, **about: Any) -> dict[str, Any]:
    new_record = record(key, eventTime=ARRIVED)
    new_record["s3"]["object"].update(about)
    return new_record


def arrivals(*names: str) -> list[dict[str, Any]]:
    return [message(body(arrival(f"incoming/{name}.ndjson")), name) for name in names]


class FailingStart:
    """Step Functions client whose start fails."""

    def __init__(self, aws: MotoAws, error: Exception) -> None:
        self.aws, self.error = aws, error

    def start_execution(self, **_: Any) -> Any:
        raise self.error

    def describe_execution(self, **given: Any) -> Any:
        return self.aws.stepfunctions.describe_execution(**given)
