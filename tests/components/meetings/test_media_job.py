"""Tests of the media job: its queues, image, network and variables.

The media job is the AWS Batch job that joins the chunks of a recording to a video and extracts the audio.
"""

import json
from typing import Any

from components.blocks.compute.image_repository import PINNED_TAG_PREFIX
from handlers.meetings.media_job.environment import MediaEnvironment
from tests.components.meetings.recorded_deployment import BUCKET, DIGEST, PREFIX, changed_preview, deployed, states
from tests.fake_engine import Recorded

IMAGES = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{PREFIX}-media-images"


def on_demand_only() -> Recorded:
    """Return a deployment without Spot capacity."""
    return deployed(processing={"engine": "fargate"})


def remaining_images(recorded: Recorded, images: list[set[str]]) -> list[set[str]]:
    """Return the images that ECR's lifecycle rules keep. An image is the set of its tags, and the newest image is first.

    An image selected by one rule cannot expire by a rule of lower priority.
    """
    policy = json.loads(recorded.one("ecr.LifecyclePolicy").inputs["policy"])
    selected: list[set[str]] = []
    expired: list[set[str]] = []
    for rule in sorted(policy["rules"], key=lambda rule: int(rule["rulePriority"])):
        selection = rule["selection"]
        prefixes = tuple(selection.get("tagPrefixList", [""]))
        if selection["tagStatus"] == "untagged":
            assert selection["countType"] == "sinceImagePushed"
            continue  # all images of these tests have tags
        matching = [image for image in images if any(tag.startswith(prefixes) for tag in image)]
        expired += [image for image in matching[selection["countNumber"] :] if image not in selected]
        selected += matching
    return [image for image in images if image not in expired]


def job(recorded: Recorded) -> dict[str, Any]:
    return recorded.one("batch.JobDefinition").inputs


def container(recorded: Recorded) -> Any:
    return json.loads(job(recorded)["containerProperties"])


def size(recorded: Recorded) -> dict[str, str]:
    return {requirement["type"]: requirement["value"] for requirement in container(recorded)["resourceRequirements"]}


def job_variables(recorded: Recorded) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(recorded)["environment"]}


def capacities(recorded: Recorded) -> dict[str, str]:
    """Return the capacity type of each compute environment."""
    environments = [environment.inputs for environment in recorded.all("batch.ComputeEnvironment")]
    return {item["namePrefix"].removeprefix(f"{PREFIX}-"): item["computeResources"]["type"] for item in environments}


def test_jobs_use_spot_capacity_first_and_then_on_demand() -> None:
    assert capacities(deployed()) == {"media-spot-": "FARGATE_SPOT", "media-on-demand-": "FARGATE"}
    names = {queue.inputs["name"] for queue in deployed().all("batch.JobQueue")}
    assert names == {f"{PREFIX}-media-spot", f"{PREFIX}-media-on-demand"}
    assert states(deployed())["Media"]["Assign"]["submitQueue"].endswith(f":job-queue/{PREFIX}-media-spot")
    orders = [queue.inputs["computeEnvironmentOrders"] for queue in deployed().all("batch.JobQueue")]
    assert [len(order) for order in orders] == [1, 1], (
        "Batch would use a second environment only when the first is full"
    )


def test_the_on_demand_engine_has_one_queue_and_twice_the_size() -> None:
    assert capacities(on_demand_only()) == {"media-on-demand-": "FARGATE"}
    assert size(on_demand_only()) == {"VCPU": "2", "MEMORY": "4096"}
    assert len(on_demand_only().all("batch.JobQueue")) == 1


def test_a_job_is_small_and_runs_on_arm() -> None:
    assert size(deployed()) == {"VCPU": "1", "MEMORY": "2048"}
    job_container = container(deployed())
    assert job_container["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert job(deployed())["platformCapabilities"] == ["FARGATE"]
    assert size(changed_preview()) == {"VCPU": "0.5", "MEMORY": "1024"}


def test_batch_retries_only_after_a_spot_interruption() -> None:
    strategy = job(deployed())["retryStrategy"]
    assert strategy["attempts"] == 3
    first_rule, *_, last_rule = strategy["evaluateOnExits"]
    assert first_rule == {"action": "RETRY", "onStatusReason": "Your Spot Task was interrupted*"}
    assert last_rule == {"action": "EXIT", "onReason": "*"}, "Batch retries a failure that matches no rule"


def test_attempts_have_a_timeout_and_the_number_of_vcpus_is_limited() -> None:
    assert job(deployed())["timeout"] == {"attemptDurationSeconds": 1_440 * 60}
    assert job(changed_preview())["timeout"] == {"attemptDurationSeconds": 490 * 60}
    for environment in changed_preview().all("batch.ComputeEnvironment"):
        assert environment.inputs["computeResources"]["maxVcpus"] == 7


def test_jobs_have_a_public_address_and_a_log_group() -> None:
    job_container = container(deployed())
    assert job_container["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    options = job_container["logConfiguration"]["options"]
    group = deployed().one("cloudwatch.LogGroup", "meetings-media-logs").inputs
    assert options["awslogs-group"] == group["name"] == f"/aws/batch/{PREFIX}-media"
    assert group["retentionInDays"] == 90


def test_the_job_definition_and_the_submission_together_set_every_variable_of_the_job() -> None:
    assert job_variables(deployed()) == {
        "AUDIO_PART_SECONDS": "13800",
        "BUCKET_NAME": BUCKET,
        "ENCODE_THREADS": "2",
        "LOG_LEVEL": "INFO",
        "MAX_HOURS": "12",
        "PIECE_SECONDS": "300",
        "POWERTOOLS_SERVICE_NAME": "meetings",
        "SCRATCH_MB": "35000",
    }
    assert job_variables(changed_preview()) == {**job_variables(deployed()), "MAX_HOURS": "2"}
    submission = states(deployed())["SubmitMedia"]["Arguments"]
    submitted_names = {variable["Name"] for variable in submission["ContainerOverrides"]["Environment"]}
    image_names = {"SCRATCH_FOLDER", "FFMPEG"}
    all_names = {name.upper() for name in MediaEnvironment.model_fields}
    assert all_names <= {*job_variables(deployed()), *submitted_names, *image_names}


def test_the_disk_holds_the_scratch_space_and_the_image() -> None:
    [gigabytes] = container(deployed())["ephemeralStorage"].values()
    assert int(job_variables(deployed())["SCRATCH_MB"]) + 5_000 <= gigabytes * 1_000


def test_the_job_runs_the_image_of_the_digest() -> None:
    assert container(changed_preview())["image"] == f"{IMAGES}@{DIGEST}"
    assert container(deployed())["image"] == f"{IMAGES}:latest"


def test_images_are_scanned_and_only_the_tag_latest_is_mutable() -> None:
    repository = deployed().one("ecr.Repository").inputs
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert repository["imageTagMutabilityExclusionFilters"] == [{"filter": "latest", "filterType": "WILDCARD"}]
    repository = changed_preview().one("ecr.Repository").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE", "a stack with a digest does not use the tag"
    assert "imageTagMutabilityExclusionFilters" not in repository


def test_old_images_expire_but_an_image_in_use_outlives_newer_images() -> None:
    newest_first = [{f"commit-{number}"} for number in range(30)]
    assert remaining_images(deployed(), newest_first) == newest_first[:10]

    digest_start = DIGEST.removeprefix("sha256:")[:12]
    image_in_use = {"commit", f"{PINNED_TAG_PREFIX}{digest_start}"}
    assert image_in_use in remaining_images(changed_preview(), [*newest_first, image_in_use])


def test_the_jobs_network_allows_no_inbound_traffic() -> None:
    network = {resource.kind for resource in deployed().graph if resource.type.startswith(("aws:vpc/", "aws:ec2/"))}
    assert not network & {"SecurityGroupIngressRule", "SecurityGroupRule", "NatGateway", "Eip"}
    assert "ingress" not in deployed().one("ec2.SecurityGroup").inputs
    [egress_rule] = deployed().all("vpc.SecurityGroupEgressRule")
    destination = [egress_rule.inputs[name] for name in ("cidrIpv4", "ipProtocol", "fromPort", "toPort")]
    assert destination == ["0.0.0.0/0", "tcp", 443, 443]


def test_s3_and_dynamodb_are_reached_through_gateway_endpoints() -> None:
    endpoints = deployed().all("ec2.VpcEndpoint")
    assert {endpoint.inputs["serviceName"].rpartition(".")[2] for endpoint in endpoints} == {"s3", "dynamodb"}
    assert {endpoint.inputs["vpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    assert deployed().one("ec2.Vpc").inputs["enableDnsSupport"] is True, "otherwise no host name can be resolved"
    route_table = deployed().one("ec2.RouteTable").id
    assert {tuple(endpoint.inputs["routeTableIds"]) for endpoint in endpoints} == {(route_table,)}


def test_every_subnet_has_the_route_table_and_is_used_by_jobs() -> None:
    subnets = deployed().all("ec2.Subnet")
    assert [subnet.inputs["cidrBlock"] for subnet in subnets] == ["10.65.0.0/24", "10.65.1.0/24"]
    assert {subnet.inputs["mapPublicIpOnLaunch"] for subnet in subnets} == {False}
    routed_subnets = {association.inputs["subnetId"] for association in deployed().all("ec2.RouteTableAssociation")}
    assert routed_subnets == {subnet.id for subnet in subnets}
    for environment in deployed().all("batch.ComputeEnvironment"):
        resources = environment.inputs["computeResources"]
        assert set(resources["subnets"]) == routed_subnets
        assert resources["securityGroupIds"] == [deployed().one("ec2.SecurityGroup").id]


def test_the_availability_zones_and_the_address_range_are_settings() -> None:
    subnet = changed_preview().one("ec2.Subnet").inputs
    assert (subnet["cidrBlock"], subnet["availabilityZone"]) == ("10.99.2.0/24", "us-east-1c")


def test_the_job_definition_depends_on_its_roles_grants_and_log_group() -> None:
    earlier_names = {ancestor.name for ancestor in deployed().ancestors(deployed().one("batch.JobDefinition"))}
    assert {"meetings-media-logs", "meetings-media-role", "meetings-media-start-role"} <= earlier_names
    assert {"meetings-media-grants", "meetings-media-start-grants"} <= earlier_names
