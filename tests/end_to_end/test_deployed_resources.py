"""Tests of resources that the local platform creates, changes and deletes.

The tests read the resources with calls to the services, not from the state of the engine that deploys them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError

from components.blocks.secret import Secret
from components.blocks.table import Table
from components.core import Kind
from local.drivers.data_stores import delete_all_versions
from local.platform.deployer import Action
from local.preview import stack_files
from tests.end_to_end.many_files import UNUSUAL_NAMES
from tests.end_to_end.platform_under_test import Platform
from tests.end_to_end.small_stack import SmallStack
from tests.fake_engine import foundation_settings, scope
from tests.whole_program import run_whole_program

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


def test_every_input_of_the_preview_exists_after_deployment(platform: Platform) -> None:
    """A driver creates the resources of one type. If it returns no value for an output, the inputs that use this output
    are silently missing.
    """
    missing_inputs = [
        f"{resource.name}.{name}"
        for resource in run_whole_program(stack_files.read_stack("local")).graph.customs()
        for name in set(resource.inputs) - set(platform.graph[resource.urn].inputs)
    ]
    assert missing_inputs == []


@pytest.fixture
def stack(platform: Platform, tmp_path: Path) -> Iterator[SmallStack]:
    """Stack of one test on the shared emulator, with its own state. Its resources are deleted after the test."""
    stack = SmallStack(platform.emulator, platform.client)
    yield stack
    stack.up(lambda: None)


def test_a_secret_parameter_is_created_changed_and_deleted(stack: SmallStack, tmp_path: Path) -> None:
    def register(value: str) -> None:
        secret = pulumi.Output.secret(value)
        aws.ssm.Parameter("key", name="/example/key", type="SecureString", value=secret, tags={"a": "1"})

    def read_parameter() -> Any:
        return stack.clients("ssm").get_parameter(Name="/example/key", WithDecryption=True)["Parameter"]

    stack.up(register, "canary-one")
    assert (read_parameter()["Value"], read_parameter()["Type"]) == ("canary-one", "SecureString")
    assert stack.up(register, "canary-one") == {"key": Action.SAME}
    assert stack.up(register, "canary-two") == {"key": Action.UPDATE}
    assert read_parameter()["Value"] == "canary-two"
    assert "canary" not in str(stack.state)
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        read_parameter()


def test_an_input_with_the_version_of_a_secret_changes_with_the_secret(stack: SmallStack) -> None:
    def register(value: str) -> None:
        secret = Secret(scope(), "key", display_name="Key", value=value)
        aws.ssm.Parameter("version", name="/example/version", type="String", value=secret.version)

    def read_version() -> str:
        return str(stack.clients("ssm").get_parameter(Name="/example/version")["Parameter"]["Value"])

    stack.up(register, "canary-one")
    assert read_version() == "1"
    assert set(stack.up(register, "canary-one").values()) == {Action.SAME}
    assert set(stack.up(register, "canary-two").values()) == {Action.UPDATE}
    assert read_version() == "2"
    stack.up(lambda: None)


def test_a_table_with_another_kms_key_keeps_its_items(stack: SmallStack) -> None:
    unprotected_scope = scope(foundation=foundation_settings(data={"deletionProtection": False}))
    key = "arn:aws:kms:us-east-1:123456789012:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
    dynamodb, name = stack.clients("dynamodb"), unprotected_scope.name(Kind.TABLE, "files")

    def register(key: str | None) -> None:
        Table(unprotected_scope, "files", display_name="Files", hash_key="pk", ttl_attribute="ttl", kms_key_arn=key)

    def read_encryption() -> dict[str, Any]:
        assert dynamodb.scan(TableName=name)["Items"] == [{"pk": {"S": "kept"}}]
        description: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]["SSEDescription"]
        return description

    stack.up(register, None)
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "kept"}})
    assert stack.up(register, key)["ingestion-files-table"] is Action.UPDATE
    assert (read_encryption()["Status"], read_encryption()["KMSMasterKeyArn"]) == ("ENABLED", key)
    assert stack.up(register, None)["ingestion-files-table"] is Action.UPDATE
    assert read_encryption()["Status"] == "DISABLED"


def test_a_bucket_with_objects_under_unusual_keys_can_be_emptied_and_deleted(platform: Platform) -> None:
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="unusual-keys")
    s3.put_bucket_versioning(Bucket="unusual-keys", VersioningConfiguration={"Status": "Enabled"})
    for name in UNUSUAL_NAMES.values():
        s3.put_object(Bucket="unusual-keys", Key=f"incoming/{name}", Body=b"")
        s3.delete_object(Bucket="unusual-keys", Key=f"incoming/{name}")
    delete_all_versions(s3, {"Bucket": "unusual-keys"})
    s3.delete_bucket(Bucket="unusual-keys")


def test_a_setting_that_the_program_no_longer_has_is_reset(stack: SmallStack) -> None:
    s3, bucket_name = stack.clients("s3"), "example-123456789012"

    def register(*, with_setting: bool) -> None:
        bucket = aws.s3.Bucket("bucket", bucket=bucket_name, force_destroy=True)
        if with_setting:
            aws.s3.BucketVersioning("versioning", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})

    def read_status() -> str:
        return str(s3.get_bucket_versioning(Bucket=bucket_name)["Status"])

    stack.up(register, with_setting=True)
    assert read_status() == "Enabled"
    s3.put_object(Bucket=bucket_name, Key="one", Body=b"1")
    stack.up(register, with_setting=False)
    assert read_status() == "Suspended"
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_objects_v2(Bucket=bucket_name)


def test_a_changed_job_definition_gets_a_new_revision_and_its_old_one_is_deregistered(stack: SmallStack) -> None:
    def register(minutes: int) -> None:
        aws.batch.JobDefinition(
            "job",
            name="example",
            type="container",
            container_properties=json.dumps({"image": "example"}),
            timeout={"attempt_duration_seconds": minutes * 60},
        )

    def read_timeouts() -> dict[str, int]:
        """Return the timeout of the newest revision by status."""
        definitions = stack.clients("batch").describe_job_definitions(jobDefinitionName="example")["jobDefinitions"]
        return {definition["status"]: definition["timeout"]["attemptDurationSeconds"] for definition in definitions}

    stack.up(register, 60)
    assert read_timeouts() == {"ACTIVE": 3600}
    assert stack.up(register, 30) == {"job": Action.UPDATE}
    assert read_timeouts() == {"INACTIVE": 3600, "ACTIVE": 1800}
    assert stack.up(register, 30) == {"job": Action.SAME}
