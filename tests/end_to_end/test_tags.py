"""Tests of changed tags: an update of the platform changes the tags of every resource type, and replaces no resource."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from pulumi_aws import ec2, glue, vpc

from components.blocks.naming.context import Context, Subsystem
from local.flows import read_flow_stack
from local.platform import lifecycle
from local.platform.emulator_clients import Clients
from local.platform.resource_change_planning import ResourceAction
from local.platform.resource_drivers import DRIVERS, RECORDED_ONLY
from local.platform.state import PlatformState
from local.preview.preview_provider import ACCOUNT, REGION
from tests.end_to_end.conftest import Platform
from tests.end_to_end.small_stack import ActionRecorder, small_stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]

LIST_TAGS = {
    "aws:apigateway/restApi:RestApi": ("apigateway", "GetTags", "resourceArn"),
    "aws:apigateway/stage:Stage": ("apigateway", "GetTags", "resourceArn"),
    "aws:apigatewayv2/api:Api": ("apigatewayv2", "GetTags", "ResourceArn"),
    "aws:apigatewayv2/stage:Stage": ("apigatewayv2", "GetTags", "ResourceArn"),
    "aws:athena/workgroup:Workgroup": ("athena", "ListTagsForResource", "ResourceARN"),
    "aws:backup/plan:Plan": ("backup", "ListTags", "ResourceArn"),
    "aws:backup/vault:Vault": ("backup", "ListTags", "ResourceArn"),
    "aws:batch/computeEnvironment:ComputeEnvironment": ("batch", "ListTagsForResource", "resourceArn"),
    "aws:batch/jobDefinition:JobDefinition": ("batch", "ListTagsForResource", "resourceArn"),
    "aws:batch/jobQueue:JobQueue": ("batch", "ListTagsForResource", "resourceArn"),
    "aws:bedrock/agentcoreMemory:AgentcoreMemory": ("bedrock-agentcore-control", "ListTagsForResource", "resourceArn"),
    "aws:budgets/budget:Budget": ("budgets", "ListTagsForResource", "ResourceARN"),
    "aws:cloudwatch/eventRule:EventRule": ("events", "ListTagsForResource", "ResourceARN"),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "ListTagsForResource", "resourceArn"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "ListTagsForResource", "ResourceARN"),
    "aws:cognito/identityPool:IdentityPool": ("cognito-identity", "ListTagsForResource", "ResourceArn"),
    "aws:dynamodb/table:Table": ("dynamodb", "ListTagsOfResource", "ResourceArn"),
    "aws:ecr/repository:Repository": ("ecr", "ListTagsForResource", "resourceArn"),
    "aws:glue/catalogDatabase:CatalogDatabase": ("glue", "GetTags", "ResourceArn"),
    "aws:glue/connection:Connection": ("glue", "GetTags", "ResourceArn"),
    "aws:glue/job:Job": ("glue", "GetTags", "ResourceArn"),
    "aws:iam/role:Role": ("iam", "ListRoleTags", "RoleName"),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ("lambda", "ListTags", "Resource"),
    "aws:lambda/function:Function": ("lambda", "ListTags", "Resource"),
    "aws:s3/bucket:Bucket": ("s3", "GetBucketTagging", "Bucket"),
    "aws:sfn/stateMachine:StateMachine": ("stepfunctions", "ListTagsForResource", "resourceArn"),
    "aws:sns/topic:Topic": ("sns", "ListTagsForResource", "ResourceArn"),
    "aws:sqs/queue:Queue": ("sqs", "ListQueueTags", "QueueUrl"),
    "aws:ssm/parameter:Parameter": ("ssm", "ListTagsForResource", "ResourceId"),
}
"""Call that lists a resource's tags, by type: the service, the operation, and the parameter that names the resource.

All types of EC2 have the same call, which `read_resource_tags` contains.
"""
RESOURCE_IDS = {
    "aws:athena/workgroup:Workgroup": f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{{id}}",
    "aws:budgets/budget:Budget": f"arn:aws:budgets::{ACCOUNT}:budget/{{id}}",
    "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{id}}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{id}}",
    "aws:glue/catalogDatabase:CatalogDatabase": f"arn:aws:glue:{REGION}:{ACCOUNT}:database/{{id}}",
    "aws:glue/connection:Connection": f"arn:aws:glue:{REGION}:{ACCOUNT}:connection/{{id}}",
    "aws:glue/job:Job": f"arn:aws:glue:{REGION}:{ACCOUNT}:job/{{id}}",
    "aws:iam/role:Role": "{id}",
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{{id}}"
    ),
    "aws:s3/bucket:Bucket": "{id}",
    "aws:sfn/stateMachine:StateMachine": "{id}",
    "aws:sqs/queue:Queue": "{id}",
    "aws:ssm/parameter:Parameter": "{id}",
}
"""Value of this parameter by type, with the resource's id in Pulumi. For all other types it is the property `arn`."""
EC2_TYPES = {driver.type for driver in DRIVERS.values() if driver.service == "ec2"}
TAGGED_TYPES = {kind for kind, driver in DRIVERS.items() if any("tags" in set(call.uses()) for call in driver.create)}
"""Types that have tags and are created on the emulator."""
NEW_TAGS = {"Owner": "new-owner", "Reviewed": "yes"}
"""Tags after the change: one with a new value, and an added one."""


def read_tags(client: Clients, state: PlatformState) -> dict[str, dict[str, str]]:
    """Return the tags that the services report for each resource, by Pulumi name."""
    return {
        urn.rpartition("::")[2]: read_resource_tags(client, entry.type, {**entry.outputs, "id": entry.id})
        for urn, entry in state.entries().items()
        if entry.type in TAGGED_TYPES
    }


def read_resource_tags(client: Clients, kind: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that the service reports for a resource, which is given by its type, outputs and id."""
    if kind in EC2_TYPES:
        return to_tags_by_key(
            client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [values["id"]]}])["Tags"]
        )
    service, operation, parameter = LIST_TAGS[kind]
    parameters = {parameter: RESOURCE_IDS.get(kind, "{arn}").format(**values)}
    if service == "ssm":
        parameters["ResourceType"] = "Parameter"
    response = getattr(client(service), xform_name(operation))(**parameters)
    tags = next(value for name, value in response.items() if "tag" in name.lower())
    return to_tags_by_key(tags)


def to_tags_by_key(tags: Mapping[str, str] | Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags by key. Some services report a list, with members such as `Key`, `key` or `TagKey`."""
    if isinstance(tags, Mapping):
        return dict(tags)
    renamed = ({name.lower().removeprefix("tag"): value for name, value in tag.items()} for tag in tags)
    return {tag["key"]: tag["value"] for tag in renamed}


def expected_tags(platform: Platform) -> dict[str, dict[str, str]]:
    """Return the tags that the program gives its resources, by Pulumi name, without resources that are only recorded in
    the state, because the emulator cannot create them.
    """
    return {
        resource.name: resource.inputs["tags"]
        for resource in platform.graph.customs()
        if "tags" in resource.inputs and resource.type not in RECORDED_ONLY
    }


def change_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags with one changed, one added and one removed."""
    return {key: value for key, value in tags.items() if key != "CostCenter"} | NEW_TAGS


def deploy(platform: Platform) -> set[ResourceAction]:
    """Deploy the program, and return the actions on its resources."""
    recorder = ActionRecorder()
    platform.deployed = lifecycle.deploy(read_flow_stack(), platform.emulator, recorder)
    return set(recorder.actions.values())


def test_a_tag_change_reaches_every_resource_and_replaces_none(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second deployment reverts the tags. They are read after a change only, because the emulator's services for
    REST API stages, Glue jobs and identity pools do not report the tags of a resource that was created with them.
    """
    before = expected_tags(platform)
    original_tags = Context.tags

    def changed_tags(context: Context, subsystem: Subsystem, name: str, *more: Any) -> dict[str, str]:
        return change_tags(original_tags(context, subsystem, name, *more))

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Context, "tags", changed_tags)
            actions = deploy(platform)
        expected, reported = expected_tags(platform), read_tags(platform.client, platform.deployed.state)
    finally:
        reverting_actions = deploy(platform)
    assert expected == {name: change_tags(tags) for name, tags in before.items()}
    assert reported == expected
    assert read_tags(platform.client, platform.deployed.state) == before
    assert actions == reverting_actions == {ResourceAction.UPDATE, ResourceAction.SAME}


def register_optional_resources(tags: dict[str, str]) -> None:
    """Register one resource of each type with tags that the program creates only with optional settings."""
    network = ec2.Vpc("network", cidr_block="10.0.0.0/16", tags=tags)
    subnet = ec2.Subnet("subnet", vpc_id=network.id, cidr_block="10.0.0.0/24", tags=tags)
    group = ec2.SecurityGroup("group", name="group", description="group", vpc_id=network.id, tags=tags)
    vpc.SecurityGroupIngressRule(
        "rule",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        cidr_ipv4="10.0.0.0/16",
        tags=tags,
    )
    glue.Connection(
        "connection",
        name="connection",
        connection_type="NETWORK",
        physical_connection_requirements={
            "availability_zone": "us-east-1a",
            "subnet_id": subnet.id,
            "security_group_id_lists": [group.id],
        },
        tags=tags,
    )


def test_a_tag_change_reaches_every_optional_type_and_replaces_no_resource(platform: Platform, tmp_path: Path) -> None:
    with small_stack(tmp_path) as stack:
        stack.up(register_optional_resources, {"Owner": "you", "CostCenter": "this-machine"})
        actions = stack.up(register_optional_resources, NEW_TAGS)
        reported = read_tags(stack.clients, stack.state)
        types = {entry.type for entry in stack.state.entries().values()}
    assert reported == dict.fromkeys(actions, NEW_TAGS)
    assert set(actions.values()) == {ResourceAction.UPDATE}
    assert types | {resource.type for resource in platform.graph.customs()} >= TAGGED_TYPES, (
        "every type with tags is tested here or in the test of the whole program"
    )
