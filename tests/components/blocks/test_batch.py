"""Test of the job definition of AWS Batch."""

import json

from components.blocks.batch import BatchJob
from tests.fake_engine import Engine, scope


def test_a_job_is_tagged_for_its_cost_and_repeated_only_after_a_spot_interruption(engine: Engine) -> None:
    def program() -> None:
        sizes = {"vcpus": 1, "memory_mb": 2048, "disk_gib": 20, "attempts": 3, "timeout_seconds": 60}
        image = {"repository": "images", "digest": "sha256:1"}
        BatchJob(scope(), "media", display_name="Media", **image, **sizes, variables={"A": "b"}, grants=[])  # type: ignore[arg-type]

    definition = engine.run(program).one("batch.JobDefinition").inputs
    assert definition["propagateTags"] is True
    assert [rule["action"] for rule in definition["retryStrategy"]["evaluateOnExits"]] == ["RETRY", "EXIT"]
    assert json.loads(definition["containerProperties"])["ephemeralStorage"] == {"sizeInGiB": 21}, "Fargate refuses 20"
