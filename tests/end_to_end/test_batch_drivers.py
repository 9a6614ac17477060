"""A network with a way out, queues, jobs and an image's registry: made, changed, read back, and gone."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError

from local.changes import Action
from local.preview_provider import ACCOUNT, REGION
from tests.end_to_end.small_stack import SmallStack, small_stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("batch-drivers")]

CONTAINER = {
    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/media:1",
    "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
    "jobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/job",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
    "networkConfiguration": {"assignPublicIp": "ENABLED"},
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "environment": [{"name": "A", "value": "1"}],
}
LIMIT: Any = {
    "action": "CANCEL",
    "max_time_seconds": 600,
    "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "state": "RUNNABLE",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    with small_stack(tmp_path_factory.mktemp("batch-drivers")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this stack has an emulator of its own."""


@pytest.fixture(autouse=True)
def _gone_afterwards(stack: SmallStack) -> Iterator[None]:
    yield
    stack.up(lambda: None)


def queue(**how: Any) -> Callable[[], object]:
    """A queue with its environment, and a job definition."""
    vcpus, minutes, environment = how.get("vcpus", 4), how.get("minutes", 60), how.get("environment", [])
    tags = how.get("tags", {"Name": "Jobs"})

    def body() -> None:
        machines = aws.batch.ComputeEnvironment(
            "machines",
            name="machines",
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": "FARGATE_SPOT",
                "max_vcpus": vcpus,
                "subnets": ["subnet-1"],
                "security_group_ids": ["sg-1"],
            },
            tags=tags,
        )
        aws.batch.JobQueue(
            "jobs",
            name="jobs",
            state="ENABLED",
            priority=how.get("priority", 1),
            compute_environment_orders=[{"order": 1, "compute_environment": machines.arn}],
            job_state_time_limit_actions=[LIMIT],
            tags=tags,
        )
        aws.batch.JobDefinition(
            "media",
            name="media",
            type="container",
            platform_capabilities=["FARGATE"],
            container_properties=json.dumps({**CONTAINER, "environment": [*CONTAINER["environment"], *environment]}),
            retry_strategy={
                "attempts": 3,
                "evaluate_on_exits": [
                    {"on_status_reason": "Your Spot Task was interrupted*", "action": "RETRY"},
                    {"on_reason": "*", "action": "EXIT"},
                ],
            },
            timeout={"attempt_duration_seconds": minutes * 60},
            propagate_tags=True,
            tags=tags,
        )

    return body


def test_a_queue_its_machines_and_its_jobs_are_as_they_were_asked_for(stack: SmallStack) -> None:
    stack.up(queue())
    batch = stack.clients("batch")
    [machines] = batch.describe_compute_environments(computeEnvironments=["machines"])["computeEnvironments"]
    assert machines["computeResources"] == {
        "type": "FARGATE_SPOT",
        "maxvCpus": 4,
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
    }
    [jobs] = batch.describe_job_queues(jobQueues=["jobs"])["jobQueues"]
    assert jobs["computeEnvironmentOrder"] == [{"order": 1, "computeEnvironment": machines["computeEnvironmentArn"]}]
    assert jobs["jobStateTimeLimitActions"][0]["maxTimeSeconds"] == 600
    [media] = batch.describe_job_definitions(jobDefinitionName="media", status="ACTIVE")["jobDefinitions"]
    assert media["containerProperties"] == CONTAINER
    assert media["retryStrategy"]["evaluateOnExit"][0]["onStatusReason"] == "Your Spot Task was interrupted*"
    assert (media["timeout"], media["platformCapabilities"]) == ({"attemptDurationSeconds": 3600}, ["FARGATE"])


def active(stack: SmallStack) -> list[int]:
    """The timeouts of the revisions that are in use."""
    found = stack.clients("batch").describe_job_definitions(jobDefinitionName="media", status="ACTIVE")
    return [one["timeout"]["attemptDurationSeconds"] for one in found["jobDefinitions"]]


def test_they_change_in_place_and_a_job_by_a_new_revision(stack: SmallStack) -> None:
    stack.up(queue())
    _, done = stack.up(queue(vcpus=8, priority=2, minutes=30, tags={"Owner": "you"}))
    assert set(done.values()) == {Action.UPDATE}
    batch = stack.clients("batch")
    [machines] = batch.describe_compute_environments()["computeEnvironments"]
    [jobs] = batch.describe_job_queues()["jobQueues"]
    assert (machines["computeResources"]["maxvCpus"], jobs["priority"]) == (8, 2)
    assert [one["tags"] for one in (machines, jobs)] == [{"Owner": "you"}] * 2, "a tag that is gone is taken away"
    assert active(stack) == [1800]
    stack.up(queue(vcpus=8, priority=2, minutes=20, tags={"Owner": "you"}))
    assert active(stack) == [1200]
    _, done = stack.up(queue(vcpus=8, priority=2, minutes=20, tags={"Owner": "you"}))
    assert set(done.values()) == {Action.SAME}


def test_they_go_in_the_order_that_aws_asks_for(stack: SmallStack) -> None:
    stack.up(queue())
    batch = stack.clients("batch")
    with pytest.raises(ClientError, match="must be disabled first"):
        batch.delete_job_queue(jobQueue="jobs")
    batch.update_compute_environment(computeEnvironment="machines", state="DISABLED")
    with pytest.raises(ClientError, match="existing JobQueue relationship"):
        batch.delete_compute_environment(computeEnvironment="machines")
    stack.up(lambda: None)
    assert batch.describe_compute_environments()["computeEnvironments"] == []
    assert batch.describe_job_queues()["jobQueues"] == []
    assert batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"] == []


def test_a_definition_that_batch_would_refuse_is_refused(stack: SmallStack) -> None:
    with pytest.raises(ClientError, match="cannot start with AWS_BATCH"):
        stack.clients("batch").register_job_definition(
            jobDefinitionName="wrong",
            type="container",
            containerProperties={**CONTAINER, "environment": [{"name": "AWS_BATCH_JOB_ID", "value": ""}]},
        )


def registry(*, mutable: bool, days: int) -> Callable[[], object]:
    def body() -> None:
        repository = aws.ecr.Repository(
            "media",
            name="polyphony-test-meetings-media",
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION" if mutable else "IMMUTABLE",
            image_tag_mutability_exclusion_filters=[{"filter": "latest", "filter_type": "WILDCARD"}]
            if mutable
            else None,
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "AES256"}],
            force_delete=True,
            tags={"Name": "Media"},
        )
        rule = {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days},
            "action": {"type": "expire"},
        }  # fmt: skip
        aws.ecr.LifecyclePolicy("media-old", repository=repository.name, policy=json.dumps({"rules": [rule]}))
        pulumi.export("url", repository.repository_url)

    return body


def test_a_registry_is_as_it_was_asked_for_and_changes_in_place(stack: SmallStack) -> None:
    outputs, _ = stack.up(registry(mutable=False, days=7))
    ecr, name = stack.clients("ecr"), "polyphony-test-meetings-media"
    assert outputs["url"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
    [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert found["encryptionConfiguration"]["encryptionType"] == "AES256"

    def days() -> int:
        text = ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
        return int(json.loads(text)["rules"][0]["selection"]["countNumber"])

    assert days() == 7
    _, done = stack.up(registry(mutable=True, days=3))
    assert done == {"media": Action.UPDATE, "media-old": Action.UPDATE}
    [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert (found["imageTagMutability"], days()) == ("IMMUTABLE_WITH_EXCLUSION", 3)
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="RepositoryNotFound"):
        ecr.describe_repositories(repositoryNames=[name])


def network(*, public: bool) -> Callable[[], object]:
    def body() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.1.0.0/16", enable_dns_support=True, enable_dns_hostnames=True)
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id, tags={"Name": "out"})
        routes = aws.ec2.RouteTable("routes", vpc_id=vpc.id)
        aws.ec2.Route("out", route_table_id=routes.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
        subnet = aws.ec2.Subnet(
            "subnet",
            vpc_id=vpc.id,
            cidr_block="10.1.0.0/24",
            availability_zone=f"{REGION}a",
            map_public_ip_on_launch=public,
        )
        aws.ec2.RouteTableAssociation("association", subnet_id=subnet.id, route_table_id=routes.id)
        for service in ("s3", "dynamodb"):
            aws.ec2.VpcEndpoint(
                service,
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{REGION}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[routes.id],
                policy=json.dumps(
                    {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
                ),
            )
        group = aws.ec2.SecurityGroup("group", name="jobs", description="Jobs: out only", vpc_id=vpc.id)
        aws.vpc.SecurityGroupEgressRule(
            "https", security_group_id=group.id, cidr_ipv4="0.0.0.0/0", ip_protocol="tcp", from_port=443, to_port=443
        )

    return body


def test_a_network_without_a_nat_has_a_way_out_and_nothing_in(stack: SmallStack) -> None:
    stack.up(network(public=True))
    ec2, ids = stack.clients("ec2"), stack.ids
    [gateway] = ec2.describe_internet_gateways(InternetGatewayIds=[ids["gateway"]])["InternetGateways"]
    assert [one["VpcId"] for one in gateway["Attachments"]] == [ids["vpc"]]
    [routes] = ec2.describe_route_tables(RouteTableIds=[ids["routes"]])["RouteTables"]
    assert ids["gateway"] in {one.get("GatewayId") for one in routes["Routes"]}
    assert [one["SubnetId"] for one in routes["Associations"]] == [ids["subnet"]]
    [subnet] = ec2.describe_subnets(SubnetIds=[ids["subnet"]])["Subnets"]
    assert subnet["MapPublicIpOnLaunch"]
    endpoints = ec2.describe_vpc_endpoints(VpcEndpointIds=[ids["s3"], ids["dynamodb"]])["VpcEndpoints"]
    assert [one["VpcEndpointType"] for one in endpoints] == ["Gateway", "Gateway"]
    assert [one["RouteTableIds"] for one in endpoints] == [[ids["routes"]]] * 2
    [group] = ec2.describe_security_groups(GroupIds=[ids["group"]])["SecurityGroups"]
    assert group["IpPermissions"] == []
    _, done = stack.up(network(public=False))
    assert done["subnet"] is Action.UPDATE
    [subnet] = ec2.describe_subnets(SubnetIds=[ids["subnet"]])["Subnets"]
    assert not subnet["MapPublicIpOnLaunch"]
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="NotFound"):
        ec2.describe_internet_gateways(InternetGatewayIds=[ids["gateway"]])
