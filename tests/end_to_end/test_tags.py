"""Tests of changed tags: an update of the platform changes the tags of every resource type, and replaces no resource."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from pulumi_aws import apigateway, ec2, glue, vpc, wafv2

from components.blocks.naming.context import Context, Subsystem
from local.flows import read_flow_stack
from local.platform import lifecycle
from local.platform.emulator_clients import Clients
from local.platform.resource_change_planning import ResourceAction
from local.platform.resource_drivers import DRIVERS, RECORDED_ONLY
from local.platform.state import PlatformState
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.resource_graph import Resource
from tests.end_to_end.conftest import Platform
from tests.end_to_end.small_stack import ActionRecorder, small_stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]

LIST_TAGS = {
    "aws:apigateway/apiKey:ApiKey": ("apigateway", "GetTags", {"resourceArn": "{arn}"}),
    "aws:apigateway/restApi:RestApi": ("apigateway", "GetTags", {"resourceArn": "{arn}"}),
    "aws:apigateway/stage:Stage": ("apigateway", "GetTags", {"resourceArn": "{arn}"}),
    "aws:apigateway/usagePlan:UsagePlan": ("apigateway", "GetTags", {"resourceArn": "{arn}"}),
    "aws:apigatewayv2/api:Api": ("apigatewayv2", "GetTags", {"ResourceArn": "{arn}"}),
    "aws:apigatewayv2/stage:Stage": ("apigatewayv2", "GetTags", {"ResourceArn": "{arn}"}),
    "aws:athena/workgroup:Workgroup": (
        "athena",
        "ListTagsForResource",
        {"ResourceARN": f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{{id}}"},
    ),
    "aws:backup/plan:Plan": ("backup", "ListTags", {"ResourceArn": "{arn}"}),
    "aws:backup/vault:Vault": ("backup", "ListTags", {"ResourceArn": "{arn}"}),
    "aws:batch/computeEnvironment:ComputeEnvironment": ("batch", "ListTagsForResource", {"resourceArn": "{arn}"}),
    "aws:batch/jobDefinition:JobDefinition": ("batch", "ListTagsForResource", {"resourceArn": "{arn}"}),
    "aws:batch/jobQueue:JobQueue": ("batch", "ListTagsForResource", {"resourceArn": "{arn}"}),
    "aws:bedrock/agentcoreMemory:AgentcoreMemory": (
        "bedrock-agentcore-control",
        "ListTagsForResource",
        {"resourceArn": "{arn}"},
    ),
    "aws:budgets/budget:Budget": (
        "budgets",
        "ListTagsForResource",
        {"ResourceARN": f"arn:aws:budgets::{ACCOUNT}:budget/{{id}}"},
    ),
    "aws:cloudwatch/eventRule:EventRule": ("events", "ListTagsForResource", {"ResourceARN": "{arn}"}),
    "aws:cloudwatch/logGroup:LogGroup": (
        "logs",
        "ListTagsForResource",
        {"resourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{id}}"},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "cloudwatch",
        "ListTagsForResource",
        {"ResourceARN": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{id}}"},
    ),
    "aws:cognito/identityPool:IdentityPool": ("cognito-identity", "ListTagsForResource", {"ResourceArn": "{arn}"}),
    "aws:dynamodb/table:Table": ("dynamodb", "ListTagsOfResource", {"ResourceArn": "{arn}"}),
    "aws:ecr/repository:Repository": ("ecr", "ListTagsForResource", {"resourceArn": "{arn}"}),
    "aws:glue/catalogDatabase:CatalogDatabase": (
        "glue",
        "GetTags",
        {"ResourceArn": f"arn:aws:glue:{REGION}:{ACCOUNT}:database/{{id}}"},
    ),
    "aws:glue/connection:Connection": (
        "glue",
        "GetTags",
        {"ResourceArn": f"arn:aws:glue:{REGION}:{ACCOUNT}:connection/{{id}}"},
    ),
    "aws:glue/job:Job": ("glue", "GetTags", {"ResourceArn": f"arn:aws:glue:{REGION}:{ACCOUNT}:job/{{id}}"}),
    "aws:iam/role:Role": ("iam", "ListRoleTags", {"RoleName": "{id}"}),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        "lambda",
        "ListTags",
        {"Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{{id}}"},
    ),
    "aws:lambda/function:Function": ("lambda", "ListTags", {"Resource": "{arn}"}),
    "aws:s3/bucket:Bucket": ("s3", "GetBucketTagging", {"Bucket": "{id}"}),
    "aws:sfn/stateMachine:StateMachine": ("stepfunctions", "ListTagsForResource", {"resourceArn": "{id}"}),
    "aws:sns/topic:Topic": ("sns", "ListTagsForResource", {"ResourceArn": "{arn}"}),
    "aws:sqs/queue:Queue": ("sqs", "ListQueueTags", {"QueueUrl": "{id}"}),
    "aws:ssm/parameter:Parameter": (
        "ssm",
        "ListTagsForResource",
        {"ResourceType": "Parameter", "ResourceId": "{id}"},
    ),
    "aws:wafv2/webAcl:WebAcl": ("wafv2", "ListTagsForResource", {"ResourceARN": "{arn}"}),
}
"""Service, operation and parameters of the call that lists a resource's tags, by type. The parameters contain the names
of properties. All types of EC2 have the same call."""
EC2_TYPES = {driver.type for driver in DRIVERS.values() if driver.service == "ec2"}
TAGGED = {kind for kind, driver in DRIVERS.items() if any("tags" in set(call.uses()) for call in driver.create)}
"""Types that have tags and are created on the emulator."""

CHANGED = {"Owner": "new-owner", "Reviewed": "yes"}
"""The changed tag and the added one."""


def read_tags(client: Clients, state: PlatformState) -> dict[str, dict[str, str]]:
    """Return the tags that the services report for each resource, by Pulumi name."""
    return {
        urn.rpartition("::")[2]: _read_tags(client, entry.type, {**entry.outputs, "id": entry.id})
        for urn, entry in state.entries().items()
        if entry.type in TAGGED
    }


def _read_tags(client: Clients, kind: str, values: Mapping[str, Any]) -> dict[str, str]:
    if kind in EC2_TYPES:
        return to_dict(client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [values["id"]]}])["Tags"])
    service, operation, template = LIST_TAGS[kind]
    parameters = {name: text.format(**values) for name, text in template.items()}
    response = getattr(client(service), xform_name(operation))(**parameters)
    found = next(value for name, value in response.items() if "tag" in name.lower())
    return to_dict(found["TagList"] if kind == "aws:wafv2/webAcl:WebAcl" else found)


def to_dict(tags: Mapping[str, str] | Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags by key. Some services report a list of structures with key and value."""
    if isinstance(tags, Mapping):
        return dict(tags)
    lowered = ({name.lower().removeprefix("tag"): value for name, value in tag.items()} for tag in tags)
    return {tag["key"]: tag["value"] for tag in lowered}


def list_tagged(platform: Platform) -> list[Resource]:
    """Return the program's resources with tags, without those that are only recorded."""
    return [
        resource
        for resource in platform.graph.customs()
        if "tags" in resource.inputs and resource.type not in RECORDED_ONLY
    ]


def expected_tags(platform: Platform) -> dict[str, dict[str, str]]:
    return {resource.name: resource.inputs["tags"] for resource in list_tagged(platform)}


def change_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags of which one is changed, one added and one removed."""
    return {key: value for key, value in tags.items() if key != "CostCenter"} | CHANGED


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
        expected, found = expected_tags(platform), read_tags(platform.client, platform.deployed.state)
    finally:
        reverting_actions = deploy(platform)
    assert expected == {name: change_tags(tags) for name, tags in before.items()}
    assert found == expected
    assert read_tags(platform.client, platform.deployed.state) == before
    assert actions == reverting_actions == {ResourceAction.UPDATE, ResourceAction.SAME}


def optional_resources(tags: dict[str, str]) -> None:
    """Register one resource of each type with tags that only optional settings of the program create."""
    network = ec2.Vpc("network", cidr_block="10.0.0.0/16", tags=tags)
    subnet = ec2.Subnet("subnet", vpc_id=network.id, cidr_block="10.0.0.0/24", tags=tags)
    address = ec2.Eip("address", domain="vpc", tags=tags)
    ec2.NatGateway("gateway", allocation_id=address.allocation_id, subnet_id=subnet.id, tags=tags)
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
    apigateway.ApiKey("key", name="key", tags=tags)
    apigateway.UsagePlan("plan", name="plan", tags=tags)
    wafv2.WebAcl(
        "firewall",
        name="firewall",
        scope="REGIONAL",
        default_action={"allow": {}},
        visibility_config={
            "cloudwatch_metrics_enabled": False,
            "metric_name": "firewall",
            "sampled_requests_enabled": False,
        },
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
        stack.up(lambda: optional_resources({"Owner": "you", "CostCenter": "this-machine"}))
        actions = stack.up(lambda: optional_resources(CHANGED))
        found = read_tags(stack.clients, stack.state)
        types = {entry.type for entry in stack.state.entries().values()}
    assert found == dict.fromkeys(actions, CHANGED)
    assert set(actions.values()) == {ResourceAction.UPDATE}
    assert types | {resource.type for resource in platform.graph.customs()} >= TAGGED, "every type is tested"
