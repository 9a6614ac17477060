"""Tests of AWS Batch jobs: their resources and permissions."""

import json
from typing import Any

import pytest

from components.blocks.batch import BatchJob
from components.blocks.iam import grant
from tests.fake_engine import Engine, Recorded, scope

QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/q"
JOB = "arn:aws:batch:us-east-1:123456789012:job-definition/polyphony-test-ingestion-media"


def register_job(engine: Engine, disk_gib: int = 20) -> Recorded:
    def program() -> None:
        job = BatchJob(
            scope(),
            "media",
            display_name="Media",
            repository="images",
            digest="sha256:a",
            vcpus=1.0,
            memory_mb=2048,
            disk_gib=disk_gib,
            attempts=3,
            timeout_seconds=60,
            variables={},
            grants=[grant("s3", ["GetObject"], "arn:aws:s3:::media/*")],
        )
        [submit, *_] = job.grant_run([QUEUE])
        assert submit.resources == (JOB, f"{JOB}:*", QUEUE), "IAM checks a submission by name without the revision"

    return engine.run(program)


def container(recorded: Recorded) -> Any:
    return json.loads(recorded.one("batch.JobDefinition").inputs["containerProperties"])


@pytest.mark.parametrize(("disk_gib", "size"), [(20, 21), (50, 50)])
def test_resources_are_written_as_fargate_accepts_them(engine: Engine, disk_gib: int, size: int) -> None:
    properties = container(register_job(engine, disk_gib=disk_gib))
    assert [requirement["value"] for requirement in properties["resourceRequirements"]] == ["1", "2048"]
    assert properties["ephemeralStorage"] == {"sizeInGiB": size}


def test_only_fargate_may_pull_the_image_and_only_the_program_may_read_its_data(engine: Engine) -> None:
    recorded = register_job(engine)
    policies = {policy.name: policy.inputs["policy"] for policy in recorded.all("iam.RolePolicy")}
    assert {name for name, policy in policies.items() if "s3:GetObject" in policy} == {"ingestion-media-grants"}
    assert {name for name, policy in policies.items() if "ecr:" in policy} == {"ingestion-media-start-grants"}
    properties = container(recorded)
    assert properties["jobRoleArn"].endswith("-media")
    assert properties["executionRoleArn"].endswith("-media-start")
