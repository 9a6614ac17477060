"""Ingestion's Lambda functions with their environment variables and boto3 clients for moto.

A builder records files and puts them into a manifest (a list of files), the workflow steps confirm and finish the
manifest after its Spark run. The sweeper creates full manifests too, but an event of the kind `flush` lets it also create
manifests that are not full.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.ids import ulid
from handlers.ingestion.manifest_builder import handler as builder
from handlers.ingestion.manifest_s3_keys import result_key
from handlers.ingestion.manifests import ListMissing
from handlers.ingestion.steps import handler as workflow_steps
from handlers.ingestion.sweeper import handler as sweeper
from tests.handlers.ingestion.conftest import MotoAws
from tests.handlers.ingestion.ingestion_harness import VARIABLES, announce, manifest_id_of

FACTORIES = (builder._builder, sweeper._sweeper, workflow_steps._manifests)


@pytest.fixture(autouse=True)
def _environment(aws: MotoAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for factory in FACTORIES:
        factory.cache_clear()
    yield
    for factory in FACTORIES:
        factory.cache_clear()


def test_a_full_manifest_is_started_confirmed_and_finished(aws: MotoAws) -> None:
    messages = announce("a", "b", "c", eventTime=datetime.now(UTC).isoformat())
    assert builder.handler({"Records": messages}, None) == {"batchItemFailures": []}
    (name,) = aws.executions()
    arn = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    event = {"step": "confirm", "executionArn": arn}
    confirmation = workflow_steps.handler(event, None)
    assert confirmation == workflow_steps.handler(event, None), "a step may be repeated"
    assert confirmation is not None
    assert confirmation["files"] == 3
    key = str(confirmation["manifestUri"]).removeprefix(f"s3://{aws.lake}/")
    confirmed_files = json.loads(aws.s3.get_object(Bucket=aws.lake, Key=key)["Body"].read())["files"]
    files = [
        {"fileKey": file["fileKey"], "datePrefix": file["datePrefix"], "status": "processed"}
        for file in confirmed_files
    ]
    result = {"schemaVersion": 1, "files": files}
    aws.s3.put_object(Bucket=aws.lake, Key=result_key(manifest_id_of(name)), Body=json.dumps(result).encode())
    workflow_steps.handler(event | {"step": "finish"}, None)
    workflow_steps.handler(event | {"step": "fail", "cause": "X"}, None)
    assert set(aws.statuses().values()) == {"processed"}


def test_the_sweeper_flushes_pending_files(aws: MotoAws, capsys: pytest.CaptureFixture[str]) -> None:
    arrived = datetime.now(UTC) - timedelta(hours=2)
    builder.handler({"Records": announce("a", "b", eventTime=arrived.isoformat())}, None)
    assert set(aws.statuses().values()) == {"pending"}
    assert sweeper.handler({"kind": "sweep"}, None)["files"] == 0, "the files wait for a full manifest"
    assert sweeper.handler({"kind": "flush"}, None)["files"] == 2
    assert len(aws.executions()) == 1
    with pytest.raises(ValidationError):
        sweeper.handler({"kind": "other"}, None)
    sweeps = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"sweep"' in line]
    assert [line["files"] for line in sweeps] == [0, 2]


def test_unexpected_exceptions_are_logged_without_content(aws: MotoAws, capsys: pytest.CaptureFixture[str]) -> None:
    manifest_id = ulid(datetime.now(UTC), 1)
    arn = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:{manifest_id}"
    with pytest.raises(ListMissing):
        workflow_steps.handler({"step": "confirm", "executionArn": arn}, None)
    aws.dynamodb.delete_table(TableName=aws.table)
    with pytest.raises(ClientError):
        sweeper.handler({"kind": "sweep"}, None)
    output = capsys.readouterr().out
    assert [event in output for event in ("step_failed", "sweep_failed")] == [True, True]
    assert manifest_id not in output
