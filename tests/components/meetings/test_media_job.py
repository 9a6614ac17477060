"""Tests of the media job: its queues, image, network and variables.

The media job is the AWS Batch job that joins the chunks of a recording to a video and extracts the audio.
"""

import json
from typing import Any

import pytest
from pulumi import RunError
from pulumi_aws import ecr

from components.meetings import media_image
from components.meetings.media_job import find_image
from local.preview.preview_provider import PROVIDER_FUNCTION_RESULTS
from local.property_values import Props
from tests.components.deployment_harness import DeployedProvider, deploy
from tests.components.deployments import MEETINGS
from tests.components.meetings.recorded_deployment import PREFIX, changed_deployment, deployed, states
from tests.fake_engine import Recorded


def job(recorded: Recorded) -> dict[str, Any]:
    return recorded.one("batch.JobDefinition").inputs


def container(recorded: Recorded) -> Any:
    return json.loads(job(recorded)["containerProperties"])


def size(recorded: Recorded) -> dict[str, str]:
    return {requirement["type"]: requirement["value"] for requirement in container(recorded)["resourceRequirements"]}


def capacities(recorded: Recorded) -> dict[str, str]:
    """Return the capacity type of each compute environment."""
    environments = [environment.inputs for environment in recorded.all("batch.ComputeEnvironment")]
    return {item["namePrefix"].removeprefix(f"{PREFIX}-"): item["computeResources"]["type"] for item in environments}


def test_jobs_use_spot_capacity_first_and_then_on_demand() -> None:
    assert capacities(deployed()) == {"media-spot-": "FARGATE_SPOT", "media-on-demand-": "FARGATE"}
    names = {queue.inputs["name"] for queue in deployed().all("batch.JobQueue")}
    assert names == {f"{PREFIX}-media-spot", f"{PREFIX}-media-on-demand"}
    assert states(deployed())["Media"]["Next"] == "SpotJob"
    assert states(deployed())["SpotJob"]["Arguments"]["JobQueue"].endswith(f":job-queue/{PREFIX}-media-spot")
    assert [caught["Next"] for caught in states(deployed())["SpotJob"]["Catch"]] == ["OnDemandJob"]
    environment_counts = [len(queue.inputs["computeEnvironmentOrders"]) for queue in deployed().all("batch.JobQueue")]
    assert environment_counts == [1, 1], "Batch would use a second environment only when the first is full"


def test_a_job_is_small_and_runs_on_arm() -> None:
    assert size(deployed()) == {"VCPU": "1", "MEMORY": "2048"}
    job_container = container(deployed())
    assert job_container["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert job(deployed())["platformCapabilities"] == ["FARGATE"]
    assert job(deployed())["propagateTags"] is True
    assert size(changed_deployment()) == {"VCPU": "2", "MEMORY": "5120"}
    on_demand_only = deployed(processing={"engine": "fargate"})
    assert size(on_demand_only) == {"VCPU": "2", "MEMORY": "4096"}
    assert capacities(on_demand_only) == {"media-on-demand-": "FARGATE"}
    assert job_container["ephemeralStorage"] == {"sizeInGiB": 40}
    assert job_container["linuxParameters"] == {"initProcessEnabled": True}, "an init process ends orphans"
    assert job_container["jobRoleArn"].endswith("-media"), "only the program may read recordings"
    assert job_container["executionRoleArn"].endswith("-media-start")


def test_batch_retries_only_after_a_spot_interruption() -> None:
    strategy = job(deployed())["retryStrategy"]
    assert strategy["attempts"] == 3
    first_rule, *_, last_rule = strategy["evaluateOnExits"]
    assert first_rule == {"action": "RETRY", "onStatusReason": "Your Spot Task was interrupted*"}
    assert last_rule == {"action": "EXIT", "onReason": "*"}, "Batch retries a failure that matches no rule"


def test_timeout_number_of_vcpus_and_network_are_settings() -> None:
    assert job(deployed())["timeout"] == {"attemptDurationSeconds": 1_440 * 60}
    assert job(changed_deployment())["timeout"] == {"attemptDurationSeconds": 490 * 60}
    for environment in changed_deployment().all("batch.ComputeEnvironment"):
        assert environment.inputs["computeResources"]["maxVcpus"] == 7
    subnet = changed_deployment().one("ec2.Subnet").inputs
    assert (subnet["cidrBlock"], subnet["availabilityZone"]) == ("10.99.2.0/24", "us-east-1c")


def test_the_job_knows_the_space_on_its_disk_and_the_maximum_length_of_a_recording() -> None:
    for recorded, max_hours in ((deployed(), "12"), (changed_deployment(), "2")):
        variables = {variable["name"]: variable["value"] for variable in container(recorded)["environment"]}
        assert (variables["SCRATCH_MB"], variables["MAX_HOURS"]) == ("35000", max_hours)


def test_the_job_runs_the_digest_of_the_image_with_this_commits_content() -> None:
    calls: list[tuple[str, Props]] = []

    class RecordingProvider(DeployedProvider):
        def call(self, token: str, arguments: Props) -> Props:
            calls.append((token, arguments))
            return super().call(token, arguments)

    recorded = deploy(MEETINGS.program(), RecordingProvider())
    [(token, arguments)] = [call for call in calls if "ecr" in call[0]]
    assert arguments == {"repositoryName": f"{PREFIX}-media-images", "imageTag": media_image.get_tag()}
    digest = PROVIDER_FUNCTION_RESULTS[token]["imageDigest"]
    registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert container(recorded)["image"] == f"{registry}/{PREFIX}-media-images@{digest}"


def test_a_missing_image_is_reported_with_the_way_to_push_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(**_: object) -> None:
        raise RuntimeError("invoke of aws:ecr/getImage:getImage failed: ImageNotFoundException")

    monkeypatch.setattr(ecr, "get_image", find_nothing)
    with pytest.raises(RunError, match=r"images:abc .*workflow `image`.*ImageNotFoundException"):
        find_image("images", "abc")
