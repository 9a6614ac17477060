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

from components.blocks import bedrock
from components.blocks.bedrock import SUMMARIES, AgentMemory
from components.blocks.secret import Secret
from components.blocks.table import Table
from components.core import Kind
from local.drivers.data_stores import delete_all_versions
from local.platform.deployer import Action
from local.preview import stack_files
from tests.end_to_end.conftest import Platform
from tests.end_to_end.many_files import UNUSUAL_NAMES
from tests.end_to_end.small_stack import SmallStack
from tests.fake_engine import foundation_settings, scope
from tests.whole_program import run_whole_program

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


def test_the_foundation_creates_budget_and_backup_selection(platform: Platform) -> None:
    budgets = platform.client("budgets").describe_budgets(AccountId="123456789012")["Budgets"]
    limit = platform.resource("foundation-spend-budget").inputs["limitAmount"]
    assert [float(budget["BudgetLimit"]["Amount"]) for budget in budgets] == [float(limit)]
    plan_id = platform.id("foundation-backup-plan")
    [selection] = platform.client("backup").list_backup_selections(BackupPlanId=plan_id)["BackupSelectionsList"]
    assert selection["IamRoleArn"].endswith("role/polyphony-local-foundation-backup")


def test_the_media_jobs_queues_and_definition_are_deployed_as_configured(platform: Platform) -> None:
    batch = platform.client("batch")
    queues = {queue["jobQueueArn"]: queue for queue in batch.describe_job_queues()["jobQueues"]}
    environments = {
        environment["computeEnvironmentArn"]: environment["computeResources"]
        for environment in batch.describe_compute_environments()["computeEnvironments"]
    }
    for capacity, kind in (("spot", "FARGATE_SPOT"), ("on-demand", "FARGATE")):
        queue = queues[platform.id(f"meetings-media-{capacity}-queue")]
        [order] = queue["computeEnvironmentOrder"]
        resources = environments[order["computeEnvironment"]]
        assert (resources["type"], len(resources["subnets"])) == (kind, 2)
    [media] = batch.describe_job_definitions(jobDefinitionName="polyphony-local-meetings-media")["jobDefinitions"]
    assert media["retryStrategy"]["evaluateOnExit"][0]["onStatusReason"] == "Your Spot Task was interrupted*"
    container = media["containerProperties"]
    assert container["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    assert {requirement["type"]: requirement["value"] for requirement in container["resourceRequirements"]} == {
        "VCPU": "1",
        "MEMORY": "2048",
    }


def test_the_media_jobs_network_has_only_outbound_access_and_no_nat(platform: Platform) -> None:
    ec2 = platform.client("ec2")
    network = {"Name": "vpc-id", "Values": [platform.id("meetings-jobs-vpc")]}
    gateway_id = platform.id("meetings-jobs-gateway")
    [gateway] = ec2.describe_internet_gateways(InternetGatewayIds=[gateway_id])["InternetGateways"]
    assert [attachment["VpcId"] for attachment in gateway["Attachments"]] == network["Values"]
    [routes] = ec2.describe_route_tables(RouteTableIds=[platform.id("meetings-jobs-routes")])["RouteTables"]
    assert gateway_id in {route.get("GatewayId") for route in routes["Routes"]}
    subnets = ec2.describe_subnets(Filters=[network])["Subnets"]
    assert {association["SubnetId"] for association in routes["Associations"]} == {
        subnet["SubnetId"] for subnet in subnets
    }
    endpoints = ec2.describe_vpc_endpoints(Filters=[network])["VpcEndpoints"]
    assert {endpoint["ServiceName"].rpartition(".")[2] for endpoint in endpoints} == {"s3"}
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    groups = ec2.describe_security_groups(Filters=[network])["SecurityGroups"]
    assert [group["IpPermissions"] for group in groups if group["GroupName"] != "default"] == [[]]
    assert ec2.describe_nat_gateways()["NatGateways"] == []


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
def stack(platform: Platform) -> Iterator[SmallStack]:
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
        Table(unprotected_scope, "files", display_name="Files", hash_key="pk", kms_key_arn=key)

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


def test_the_maximum_throughput_of_a_table_is_changed_in_place(stack: SmallStack) -> None:
    unprotected_scope = scope(foundation=foundation_settings(data={"deletionProtection": False}))

    def up(units: int) -> dict[str, Action]:
        return stack.up(
            lambda: Table(
                *(unprotected_scope, "files"),
                display_name="Files",
                hash_key="pk",
                max_write_units=units,
                max_read_units=2 * units,
            )
        )

    def read_throughput() -> object:
        name = unprotected_scope.name(Kind.TABLE, "files")
        return stack.clients("dynamodb").describe_table(TableName=name)["Table"]["OnDemandThroughput"]

    up(50)
    assert read_throughput() == {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}
    assert up(60)["ingestion-files-table"] is Action.UPDATE
    assert read_throughput() == {"MaxReadRequestUnits": 120, "MaxWriteRequestUnits": 60}


def test_a_schedule_and_a_rule_are_updated_in_place_and_deleted(stack: SmallStack, platform: Platform) -> None:
    topic = platform.id("foundation-alerts-critical-topic")
    role = "arn:aws:iam::123456789012:role/polyphony-local-ingestion-sweep"

    def register(rate: str) -> None:
        aws.scheduler.Schedule(
            "schedule",
            name="example",
            group_name="default",
            schedule_expression=rate,
            flexible_time_window={"mode": "OFF"},
            target={"arn": topic, "role_arn": role, "retry_policy": {"maximum_retry_attempts": 2}},
        )
        rule = aws.cloudwatch.EventRule("rule", name="example", schedule_expression=rate, state="DISABLED")
        aws.cloudwatch.EventTarget("target", rule=rule.name, target_id="topic", arn=topic)

    def read_rates() -> list[str]:
        schedule = stack.clients("scheduler").get_schedule(Name="example", GroupName="default")
        return [
            schedule["ScheduleExpression"],
            stack.clients("events").describe_rule(Name="example")["ScheduleExpression"],
        ]

    stack.up(register, "rate(1 hour)")
    assert read_rates() == ["rate(1 hour)"] * 2
    actions = stack.up(register, "rate(2 hours)")
    assert actions == {"schedule": Action.UPDATE, "rule": Action.UPDATE, "target": Action.SAME}
    assert read_rates() == ["rate(2 hours)"] * 2
    [target] = stack.clients("events").list_targets_by_rule(Rule="example")["Targets"]
    assert target == {"Id": "topic", "Arn": topic}
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        read_rates()


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


def test_a_permission_to_invoke_an_alias_is_created_and_deleted(stack: SmallStack, platform: Platform) -> None:
    name, functions = platform.id("ingestion-manifest-builder-function"), stack.clients("lambda")

    def register() -> None:
        aws.lambda_.Permission(
            "permission",
            function=name,
            qualifier="live",
            statement_id="example",
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            source_account="123456789012",
            source_arn="arn:aws:events:us-east-1:123456789012:rule/example",
        )

    stack.up(register)
    [statement] = json.loads(functions.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert statement["Resource"].endswith(f"{name}:live")
    assert statement["Condition"]["StringEquals"] == {"AWS:SourceAccount": "123456789012"}
    stack.up(lambda: None)
    with pytest.raises(ClientError, match="NotFound"):
        functions.get_policy(FunctionName=name, Qualifier="live")


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


def test_a_memory_is_updated_in_place_and_strategies_are_added_and_deleted(
    stack: SmallStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, semantic = "ingestion-memory-memory", "ingestion-memory-semantic"

    def up(days: int, **namespaces: str) -> dict[str, Action]:
        monkeypatch.setattr(bedrock, "NAMESPACES", namespaces)
        unprotected_scope = scope(foundation=foundation_settings(data={"deletionProtection": False}))
        return stack.up(lambda: AgentMemory(unprotected_scope, "memory", display_name="clipAgentMemory", days=days))

    def memory_details() -> dict[str, Any]:
        client = stack.clients("bedrock-agentcore-control")
        [memory_id] = [memory["id"] for memory in client.list_memories()["memories"] if "_test_" in memory["id"]]
        answer: dict[str, Any] = client.get_memory(memoryId=memory_id)["memory"]
        return answer

    up(90, SUMMARIZATION=SUMMARIES, SEMANTIC="/facts/{actorId}/")
    memory_before = memory_details()
    actions = up(30, SUMMARIZATION=SUMMARIES, SEMANTIC="/known/{actorId}")
    assert (actions[memory], actions[semantic]) == (Action.UPDATE, Action.UPDATE)
    memory_after = memory_details()
    assert (memory_after["id"], memory_after["eventExpiryDuration"]) == (memory_before["id"], 30)
    assert ["/known/{actorId}"] in [strategy["namespaceTemplates"] for strategy in memory_after["strategies"]]
    assert up(30, SUMMARIZATION=SUMMARIES)[semantic] is Action.DELETE
    assert [strategy["type"] for strategy in memory_details()["strategies"]] == ["SUMMARIZATION"]
