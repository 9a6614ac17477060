"""End-to-end tests of ingestion's intake: the manifest builder tracks each new file, that is, writes a
record of it to the file table.

The handler runs from the deployed zip, with its role.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import ROOT
from local.flows import eventually
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.deployed_ingestion import LINE, DeployedIngestion
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


def test_a_file_outside_the_prefix_is_ignored(ingestion: DeployedIngestion) -> None:
    ingestion.upload("elsewhere/two.ndjson", LINE)
    ingestion.upload("incoming/after-two.ndjson", LINE)
    ingestion.wait_until_tracked("incoming/after-two.ndjson")
    ingestion.wait_until_empty()
    assert ingestion.find_records("elsewhere/two.ndjson") == []


def test_only_an_invalid_message_returns_to_the_queue(ingestion: DeployedIngestion) -> None:
    ingestion.send("not JSON at all")
    ingestion.upload("incoming/in-the-same-batch.ndjson", LINE)
    ingestion.wait_until_tracked("incoming/in-the-same-batch.ndjson")
    eventually(
        lambda: True if ingestion.count_messages(ingestion.queue_url) == (0, 1) else None,
        "the invalid message, invisible until its retry",
    )
    assert ingestion.count_messages(ingestion.dead_letters_url) == (0, 0), "it has attempts left"


def test_a_batch_may_contain_more_than_ten_files(ingestion: DeployedIngestion, platform: Platform) -> None:
    """Without our extension, the emulator delivers at most ten messages."""
    keys = [f"incoming/many/{number}.ndjson" for number in range(25)]
    for key in keys:
        ingestion.upload(key, LINE)
    eventually(lambda: True if all(ingestion.find_records(key) for key in keys) else None, "all records")
    # The log event `file_batch` contains the number of records in an invocation.
    batch_lines = [line for line in platform.log_lines("ingestion-manifest-builder") if "file_batch" in line]
    assert any(f'"records":{count}' in line.replace(" ", "") for line in batch_lines for count in range(11, 26)), (
        batch_lines
    )


def test_the_handler_runs_from_the_deployed_zip_and_not_from_the_checkout(
    ingestion: DeployedIngestion, platform: Platform
) -> None:
    function = platform.id("ingestion-manifest-builder-function")
    # The event is invalid, so the handler fails and its traceback is logged.
    ingestion.client("lambda").invoke(FunctionName=function, Qualifier="live", Payload=b'{"Records": 1}')
    lines = platform.log_lines("ingestion-manifest-builder")
    frames = [line for line in lines if "manifest_builder/handler.py" in line and line.lstrip().startswith("File")]
    assert frames, "the traceback names the file"
    assert all(str(platform.emulator.folder) in line for line in frames), frames
    assert not any(str(ROOT / "handlers") in line for line in frames), frames


FOREIGN_KEY = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "arn:aws:kms:us-east-1:999999999999:key/0b6f3ba7-6b1b-4a93-8d12-1f0d8c1b7c11",
}


@pytest.fixture
def producer(platform: Platform) -> Iterator[Any]:
    """S3 client of a user who may do everything with S3."""
    iam, user = platform.client("iam"), {"UserName": "producer"}
    iam.create_user(**user)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_user_policy(**user, PolicyName="s3", PolicyDocument=json.dumps({"Statement": [statement]}))
    key = iam.create_access_key(**user)["AccessKey"]
    yield EmulatorClients(platform.emulator.endpoint, (key["AccessKeyId"], key["SecretAccessKey"], None))("s3")
    iam.delete_access_key(**user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(**user, PolicyName="s3")
    iam.delete_user(**user)


def test_an_upload_that_names_a_kms_key_is_refused(producer: Any, ingestion: DeployedIngestion) -> None:
    target = {"Bucket": ingestion.bucket, "Key": "incoming/kms.ndjson"}
    source = {"Bucket": ingestion.bucket, "Key": "incoming/plain.ndjson"}
    producer.put_object(**source, Body=b"{}\n")
    for upload, arguments in (
        (producer.put_object, {"Body": b"{}\n"}),
        (producer.copy_object, {"CopySource": source}),
        (producer.create_multipart_upload, {}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            upload(**target, **arguments, **FOREIGN_KEY)
    producer.put_object(**source, Body=b"{}\n", ServerSideEncryption="AES256")
    producer.copy_object(Bucket=ingestion.bucket, Key="incoming/copy.ndjson", CopySource=source)
    parts = {"Bucket": ingestion.bucket, "Key": "incoming/parts.ndjson"}
    upload_id = producer.create_multipart_upload(**parts)["UploadId"]
    tag = producer.upload_part(**parts, UploadId=upload_id, PartNumber=1, Body=b"{}\n")["ETag"]
    producer.complete_multipart_upload(
        **parts, UploadId=upload_id, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}
    )
    for name in ("copy", "parts"):
        ingestion.wait_until_tracked(f"incoming/{name}.ndjson")
    ingestion.wait_until_empty()
    assert ingestion.find_records(target["Key"]) == []
