"""Fixtures: moto's AWS with the resources that ingestion's handlers use, and a harness on an in-memory AWS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.credentials import credentials
from tests.handlers.ingestion.fake_cloud import PROJECTED, Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness
from tests.moto_tables import Index, create_table

NOW = datetime(2026, 1, 2, 12, 0, 10, 123000, tzinfo=UTC)
"""Ten seconds after the files that `announce` announces have arrived."""
KEY_ATTRIBUTES = ("date_prefix", "file_key", "open_shard", "open_since")


@dataclass
class MotoAws:
    """Clients of moto's AWS, and the names of ingestion's resources there."""

    dynamodb: Any
    s3: Any
    stepfunctions: Any
    state_machine_arn: str
    table: str
    lake: str

    def records(self) -> dict[str, dict[str, Any]]:
        """Return all items of the table by sort key."""
        return {item["file_key"]["S"]: item for item in self.dynamodb.scan(TableName=self.table)["Items"]}

    def statuses(self) -> dict[str, str]:
        """Return the status of each item by sort key."""
        return {key: item["status"]["S"] for key, item in self.records().items()}

    def executions(self) -> list[str]:
        """Return the names of the started executions."""
        executions = self.stepfunctions.list_executions(stateMachineArn=self.state_machine_arn)["executions"]
        return sorted(execution["name"] for execution in executions)


@cache
def _clients() -> tuple[Any, Any, Any]:
    """Create the clients once, because creating them takes most of a test's time."""
    return boto3.client("dynamodb"), boto3.client("s3"), boto3.client("stepfunctions")


@contextmanager
def moto_aws(
    monkeypatch: pytest.MonkeyPatch, table: str = "files", lake: str = "lake", machine: str = "files"
) -> Iterator[MotoAws]:
    """Provide moto's AWS with ingestion's resources under these names."""
    credentials(monkeypatch)
    with mock_aws():
        dynamodb, s3, stepfunctions = _clients()
        create_table(
            dynamodb,
            table,
            "date_prefix",
            "file_key",
            indexes={"open": Index(("open_shard", "open_since"), "INCLUDE", sorted(PROJECTED - set(KEY_ATTRIBUTES)))},
        )
        s3.create_bucket(Bucket=lake)
        s3.create_bucket(Bucket="landing")
        s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
        role = "arn:aws:iam::123456789012:role/workflow"
        state_machine = stepfunctions.create_state_machine(name=machine, definition="{}", roleArn=role)
        yield MotoAws(dynamodb, s3, stepfunctions, state_machine["stateMachineArn"], table, lake)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAws]:
    """Return clients of moto's AWS with an empty table and empty buckets."""
    with moto_aws(monkeypatch) as clients:
        yield clients


@pytest.fixture
def harness() -> IngestionHarness:
    """Return a harness with an empty in-memory AWS."""
    return IngestionHarness(Cloud(NOW))
