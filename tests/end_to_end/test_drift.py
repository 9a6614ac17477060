"""Tests of drift: the values that the services return equal the program's inputs, until a resource is changed by
hand."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from local.platform.driver_model.boto3_calls import call_service
from local.platform.driver_model.driver import ResourceValues
from local.platform.driver_model.resource_reading import read_inputs
from local.platform.emulator_clients import EmulatorClients
from local.platform.resource_drivers import DRIVERS
from local.platform.resource_drivers.s3 import delete_all_versions
from local.platform.state import PlatformState
from local.preview.property_value_conversion import Archive, Asset, Props, Secret
from local.preview.resource_graph import Resource
from tests.end_to_end.conftest import Platform
from tests.end_to_end.small_stack import SmallStack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]

NAME = "drift"
BUCKET = "drift-123456789012"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:drift"
TOPIC = "arn:aws:sns:us-east-1:123456789012:drift"
OTHER_TOPIC = "arn:aws:sns:us-east-1:123456789012:other"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:drift"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/drift"
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:drift"
BOUNDARY = "arn:aws:iam::aws:policy/AdministratorAccess"
TAGS = {"Owner": "you", "Stage": "test"}
CHANGED_TAGS = {"Owner": "me", "Stage": "test", "Added": "by hand"}
FILTER = '{ $.message = "failed" }'


def policy(*statements: Props) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str) -> str:
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}})


POLL = {
    "Effect": "Allow",
    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    "Resource": "*",
}
"""Permissions with which Lambda polls the queue."""
ONLY_TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ADDED = {"Sid": "ByHand", "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
PUBLIC = {"Sid": "ByHand", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def machine(comment: str) -> str:
    return json.dumps({"Comment": comment, "StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


def zip_of(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", code)
    return buffer.getvalue()


def register_resources() -> None:
    role = aws.iam.Role("role", name=NAME, assume_role_policy=trust("lambda.amazonaws.com"), tags=TAGS)
    grants = aws.iam.RolePolicy("grants", role=role.name, name="grants", policy=policy(POLL))
    code: dict[str, pulumi.Asset | pulumi.Archive] = {
        "index.py": pulumi.StringAsset("def handler(event, context): pass")
    }
    variables: dict[str, pulumi.Input[str]] = {"LEVEL": "INFO", "KEY": pulumi.Output.secret("canary-one")}
    function = aws.lambda_.Function(
        "function",
        name=NAME,
        role=role.arn,
        handler="index.handler",
        runtime="python3.13",
        memory_size=128,
        timeout=3,
        code=pulumi.AssetArchive(code),
        publish=True,
        environment={"variables": variables},
        tags=TAGS,
    )
    alias = aws.lambda_.Alias("alias", name="live", function_name=function.name, function_version=function.version)
    aws.lambda_.ProvisionedConcurrencyConfig(
        "warm", function_name=function.name, qualifier=alias.name, provisioned_concurrent_executions=1
    )
    aws.lambda_.FunctionEventInvokeConfig(
        "asynchronous", function_name=function.name, qualifier=alias.name, maximum_retry_attempts=1
    )
    dead_letters = aws.sqs.Queue("dead-letters", name=f"{NAME}-dlq", tags=TAGS)
    denied = json.dumps({"redrivePermission": "denyAll"})
    aws.sqs.RedriveAllowPolicy("redrive-allow", queue_url=dead_letters.url, redrive_allow_policy=denied)
    dead_letter_arn = "arn:aws:sqs:us-east-1:123456789012:drift-dlq"
    queue = aws.sqs.Queue(
        "queue",
        name=NAME,
        visibility_timeout_seconds=60,
        redrive_policy=json.dumps({"maxReceiveCount": 5, "deadLetterTargetArn": dead_letter_arn}),
        tags=TAGS,
        opts=pulumi.ResourceOptions(depends_on=[dead_letters]),
    )
    aws.sqs.QueuePolicy("queue-policy", queue_url=queue.url, policy=policy(ONLY_TLS))
    aws.lambda_.EventSourceMapping(
        "mapping",
        function_name=function.arn,
        event_source_arn=QUEUE,
        batch_size=10,
        opts=pulumi.ResourceOptions(depends_on=[queue, grants]),
    )
    aws.dynamodb.Table(
        "table",
        name=NAME,
        billing_mode="PAY_PER_REQUEST",
        hash_key="pk",
        range_key="sk",
        attributes=[{"name": name, "type": "S"} for name in ("sk", "owner", "pk")],
        global_secondary_indexes=[
            {
                "name": "by-owner",
                "key_schemas": [{"attribute_name": "owner", "key_type": "HASH"}],
                "projection_type": "INCLUDE",
                "non_key_attributes": ["b", "a"],
            }
        ],
        ttl={"enabled": True, "attribute_name": "ttl"},
        point_in_time_recovery={"enabled": True},
        server_side_encryption={"enabled": False},
        deletion_protection_enabled=False,
        tags=TAGS,
    )
    register_bucket()
    topic = aws.sns.Topic("topic", name=NAME, tags=TAGS)
    aws.sns.TopicPolicy("topic-policy", arn=topic.arn, policy=policy(ONLY_TLS))
    aws.cloudwatch.MetricAlarm(
        "alarm",
        name=NAME,
        namespace="AWS/Lambda",
        metric_name="Errors",
        dimensions={"FunctionName": NAME},
        statistic="Sum",
        period=60,
        evaluation_periods=1,
        threshold=0,
        comparison_operator="GreaterThanThreshold",
        alarm_actions=[topic.arn],
        tags=TAGS,
    )
    group = aws.cloudwatch.LogGroup("group", name=NAME, retention_in_days=7, tags=TAGS)
    aws.cloudwatch.LogMetricFilter(
        "filter",
        name=NAME,
        log_group_name=group.name,
        pattern=FILTER,
        metric_transformation={"name": "failures", "namespace": NAME, "value": "1"},
    )
    aws.ssm.Parameter(
        "parameter", name=f"/{NAME}", type="SecureString", value=pulumi.Output.secret("canary-one"), tags=TAGS
    )
    aws.sfn.StateMachine(
        "machine",
        name=NAME,
        role_arn=role.arn,
        definition=machine("as deployed"),
        logging_configuration={"level": "ERROR", "include_execution_data": False, "log_destination": f"{GROUP}:*"},
        tags=TAGS,
        opts=pulumi.ResourceOptions(depends_on=[group]),
    )
    rule = aws.cloudwatch.EventRule("rule", name=NAME, event_pattern=json.dumps({"source": [NAME]}), state="ENABLED")
    aws.cloudwatch.EventTarget("target", rule=rule.name, target_id="topic", arn=topic.arn)
    aws.scheduler.Schedule(
        "schedule",
        name=NAME,
        group_name="default",
        schedule_expression="rate(1 days)",
        flexible_time_window={"mode": "OFF"},
        state="DISABLED",
        target={"arn": QUEUE, "role_arn": role.arn, "input": json.dumps({"kind": NAME})},
    )


def register_bucket() -> None:
    """Register a bucket with all its settings."""
    bucket = aws.s3.Bucket("bucket", bucket=BUCKET, force_destroy=True, tags=TAGS).bucket
    aws.s3.BucketVersioning("versioning", bucket=bucket, versioning_configuration={"status": "Enabled"})
    aws.s3.BucketServerSideEncryptionConfiguration(
        "encryption",
        bucket=bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
    )
    aws.s3.BucketPublicAccessBlock(
        "public-access",
        bucket=bucket,
        block_public_acls=True,
        block_public_policy=False,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    aws.s3.BucketLifecycleConfiguration(
        "lifecycle",
        bucket=bucket,
        rules=[
            {"id": "abort", "status": "Enabled", "abort_incomplete_multipart_upload": {"days_after_initiation": 1}},
            {"id": "expire", "status": "Enabled", "filter": {"prefix": "logs/"}, "expiration": {"days": 30}},
        ],
    )
    aws.s3.BucketPolicy("bucket-policy", bucket=bucket, policy=policy(ONLY_TLS))
    aws.s3.BucketCorsConfiguration(
        "cors",
        bucket=bucket,
        cors_rules=[{"allowed_methods": ["PUT", "GET"], "allowed_origins": ["https://a.example"]}],
    )
    aws.s3.BucketLogging("logging", bucket=bucket, target_bucket=bucket, target_prefix="logs/")
    aws.s3.BucketOwnershipControls("ownership", bucket=bucket, rule={"object_ownership": "BucketOwnerEnforced"})
    aws.s3.BucketAccelerateConfiguration("accelerate", bucket=bucket, status="Enabled")
    aws.s3.BucketNotification("notification", bucket=bucket, eventbridge=True)
    aws.s3.BucketObjectv2("object", bucket=bucket, key="job.py", source=pulumi.FileAsset("__main__.py"))


def read_current(resource: Resource, state: PlatformState, clients: EmulatorClients) -> Props | None:
    entry = state.entries()[resource.urn]
    values = ResourceValues(resource.inputs, entry.id, dict(entry.outputs))
    return read_inputs(DRIVERS[resource.type], clients, values)


def find_differences(before: Props, after: Props | None) -> Props:
    """Return the new values of the inputs that differ. A removed input has the value None."""
    assert after is not None, "the resource no longer exists"
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def drift_stack(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    """One resource of each common type on the shared emulator. The tests change and delete them by hand."""
    state = PlatformState.empty(tmp_path_factory.mktemp("drift") / "state.json", "drift")
    program = SmallStack(platform.emulator, platform.client, state)
    program.up(register_resources)
    differences_by_resource = {
        resource.name: find_differences(resource.inputs, read_current(resource, state, platform.client))
        for resource in program.graph.customs()
    }
    assert not any(differences_by_resource.values()), "a resource that was just created has not drifted"
    yield program
    program.up(lambda: None)


def test_no_resource_of_the_local_stack_has_drifted(platform: Platform) -> None:
    resources = [resource for resource in platform.graph.customs() if resource.type in DRIVERS]
    differences_by_resource = {
        resource.urn: find_differences(
            resource.inputs, read_current(resource, platform.deployed.state, platform.client)
        )
        for resource in resources
    }
    assert {urn: changed for urn, changed in differences_by_resource.items() if changed} == {}
    assert sum(bool(DRIVERS[resource.type].read) for resource in resources) > 500, "most resources are read"


def lambda_settings(**settings: Any) -> Callable[[EmulatorClients], object]:
    return lambda clients: clients("lambda").update_function_configuration(FunctionName=NAME, **settings)


def queue_settings(**attributes: str) -> Callable[[EmulatorClients], object]:
    return lambda clients: clients("sqs").set_queue_attributes(
        QueueUrl=clients("sqs").get_queue_url(QueueName=NAME)["QueueUrl"], Attributes=attributes
    )


def alarm_settings(**settings: Any) -> Callable[[EmulatorClients], object]:
    def put(clients: EmulatorClients) -> None:
        [alarm] = clients("cloudwatch").describe_alarms(AlarmNames=[NAME])["MetricAlarms"]
        accepted = clients("cloudwatch").meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        kept = {name: value for name, value in alarm.items() if name in accepted}
        clients("cloudwatch").put_metric_alarm(**{**kept, **settings})

    return put


def bucket_call(operation: str, **settings: Any) -> Callable[[EmulatorClients], object]:
    return lambda clients: call_service(clients("s3"), operation, {"Bucket": BUCKET, **settings})


def service_call(service: str, operation: str, **parameters: Any) -> Callable[[EmulatorClients], object]:
    return lambda clients: call_service(clients(service), operation, parameters)


def disable_mapping(clients: EmulatorClients) -> None:
    [mapping] = clients("lambda").list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    clients("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


TAG_LIST = [{"Key": "Owner", "Value": "me"}, {"Key": "Added", "Value": "by hand"}]
RECOVERY_OFF = {"PointInTimeRecoveryEnabled": False}
KEPT_RULE = {"ID": "abort", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
EXPIRY_RULE = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 365}}
ADDED_RULE = {"ID": "added", "Status": "Disabled", "Expiration": {"Days": 1}, "Filter": {"Prefix": "tmp/"}}
METHODS_RULE = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"]}
NOT_BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": False}
OTHER_FILTER = {"metricName": "failures", "metricNamespace": NAME, "metricValue": "2"}

CHANGES: list[tuple[str, Callable[[EmulatorClients], object], Props]] = [
    ("function", lambda_settings(MemorySize=256), {"memorySize": 256}),
    (
        "function",
        lambda_settings(Environment={"Variables": {"LEVEL": "INFO", "KEY": "canary-two", "NEW": ""}}),
        {"environment": {"variables": {"LEVEL": "INFO", "KEY": Secret("canary-two"), "NEW": ""}}},
    ),
    (
        "function",
        service_call("lambda", "PutFunctionConcurrency", FunctionName=NAME, ReservedConcurrentExecutions=0),
        {"reservedConcurrentExecutions": 0},
    ),
    (
        "function",
        service_call("lambda", "TagResource", Resource=FUNCTION, Tags={"Owner": "me", "Added": "by hand"}),
        {"tags": CHANGED_TAGS},
    ),
    (
        "alias",
        service_call("lambda", "UpdateAlias", FunctionName=NAME, Name="live", FunctionVersion="$LATEST"),
        {"functionVersion": "$LATEST"},
    ),
    (
        "warm",
        service_call(
            "lambda",
            "PutProvisionedConcurrencyConfig",
            FunctionName=NAME,
            Qualifier="live",
            ProvisionedConcurrentExecutions=2,
        ),
        {"provisionedConcurrentExecutions": 2},
    ),
    (
        "asynchronous",
        service_call(
            "lambda", "PutFunctionEventInvokeConfig", FunctionName=NAME, Qualifier="live", MaximumRetryAttempts=0
        ),
        {"maximumRetryAttempts": 0},
    ),
    ("mapping", disable_mapping, {"enabled": False}),
    (
        "table",
        service_call("dynamodb", "TagResource", ResourceArn=TABLE, Tags=TAG_LIST),
        {"tags": CHANGED_TAGS},
    ),
    (
        "table",
        service_call(
            "dynamodb", "UpdateContinuousBackups", TableName=NAME, PointInTimeRecoverySpecification=RECOVERY_OFF
        ),
        {"pointInTimeRecovery": {"enabled": False}},
    ),
    (
        "table",
        service_call(
            "dynamodb",
            "UpdateTable",
            TableName=NAME,
            GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-owner"}}],
        ),
        {"globalSecondaryIndexes": None, "attributes": [{"name": "sk", "type": "S"}, {"name": "pk", "type": "S"}]},
    ),
    (
        "bucket",
        bucket_call("PutBucketTagging", Tagging={"TagSet": TAG_LIST}),
        {"tags": {"Owner": "me", "Added": "by hand"}},
    ),
    ("bucket", bucket_call("DeleteBucketTagging"), {"tags": None}),
    (
        "versioning",
        bucket_call("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"}),
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    (
        "encryption",
        bucket_call(
            "PutBucketEncryption",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}}]
            },
        ),
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyID": "key"}}]},
    ),
    (
        "public-access",
        bucket_call("PutPublicAccessBlock", PublicAccessBlockConfiguration=NOT_BLOCKED),
        {"restrictPublicBuckets": False},
    ),
    (
        "lifecycle",
        bucket_call(
            "PutBucketLifecycleConfiguration",
            LifecycleConfiguration={"Rules": [EXPIRY_RULE, ADDED_RULE, {**KEPT_RULE, "Filter": {"Prefix": ""}}]},
        ),
        {
            "rules": [
                {"id": "abort", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}},
                {"id": "expire", "status": "Enabled", "filter": {"prefix": "logs/"}, "expiration": {"days": 365}},
                {"id": "added", "status": "Disabled", "filter": {"prefix": "tmp/"}, "expiration": {"days": 1}},
            ]
        },
    ),
    ("bucket-policy", bucket_call("PutBucketPolicy", Policy=policy(PUBLIC)), {"policy": policy(PUBLIC)}),
    (
        "cors",
        bucket_call("PutBucketCors", CORSConfiguration={"CORSRules": [METHODS_RULE]}),
        {"corsRules": [{"allowedMethods": ["PUT", "GET"], "allowedOrigins": ["*"]}]},
    ),
    (
        "logging",
        bucket_call(
            "PutBucketLogging",
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": BUCKET, "TargetPrefix": "elsewhere/"}},
        ),
        {"targetPrefix": "elsewhere/"},
    ),
    (
        "ownership",
        bucket_call("PutBucketOwnershipControls", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
        {"rule": {"objectOwnership": "ObjectWriter"}},
    ),
    ("queue", queue_settings(VisibilityTimeout="90"), {"visibilityTimeoutSeconds": 90}),
    ("queue", queue_settings(RedrivePolicy=""), {"redrivePolicy": None}),
    (
        "redrive-allow",
        lambda clients: clients("sqs").set_queue_attributes(
            QueueUrl=clients("sqs").get_queue_url(QueueName=f"{NAME}-dlq")["QueueUrl"],
            Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "allowAll"})},
        ),
        {"redriveAllowPolicy": json.dumps({"redrivePermission": "allowAll"})},
    ),
    (
        "accelerate",
        bucket_call("PutBucketAccelerateConfiguration", AccelerateConfiguration={"Status": "Suspended"}),
        {"status": "Suspended"},
    ),
    ("queue-policy", queue_settings(Policy=policy(PUBLIC)), {"policy": policy(PUBLIC)}),
    (
        "notification",  # the queue must already permit S3 to send messages
        bucket_call(
            "PutBucketNotificationConfiguration",
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}],
                "EventBridgeConfiguration": {},
            },
        ),
        {"queues": [{"queueArn": QUEUE, "events": ["s3:ObjectCreated:*"]}]},
    ),
    (
        "role",
        service_call("iam", "UpdateAssumeRolePolicy", RoleName=NAME, PolicyDocument=trust("events.amazonaws.com")),
        {"assumeRolePolicy": trust("events.amazonaws.com")},
    ),
    (
        "role",
        service_call("iam", "PutRolePermissionsBoundary", RoleName=NAME, PermissionsBoundary=BOUNDARY),
        {"permissionsBoundary": BOUNDARY},
    ),
    (
        "grants",
        service_call("iam", "PutRolePolicy", RoleName=NAME, PolicyName="grants", PolicyDocument=policy(POLL, ADDED)),
        {"policy": policy(POLL, ADDED)},
    ),
    ("alarm", alarm_settings(Threshold=5.0), {"threshold": 5}),
    (
        "alarm",
        alarm_settings(Dimensions=[{"Name": "FunctionName", "Value": "other"}]),
        {"dimensions": {"FunctionName": "other"}},
    ),
    ("alarm", service_call("cloudwatch", "DisableAlarmActions", AlarmNames=[NAME]), {"actionsEnabled": False}),
    ("group", service_call("logs", "DeleteRetentionPolicy", logGroupName=NAME), {"retentionInDays": None}),
    (
        "filter",
        service_call(
            "logs",
            "PutMetricFilter",
            logGroupName=NAME,
            filterName=NAME,
            filterPattern=FILTER,
            metricTransformations=[OTHER_FILTER],
        ),
        {"metricTransformation": {"name": "failures", "namespace": NAME, "value": "2"}},
    ),
    (
        "topic-policy",
        service_call(
            "sns", "SetTopicAttributes", TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy(PUBLIC)
        ),
        {"policy": policy(PUBLIC)},
    ),
    (
        "parameter",
        service_call("ssm", "PutParameter", Name=f"/{NAME}", Type="SecureString", Value="canary-two", Overwrite=True),
        {"value": Secret("canary-two")},
    ),
    (
        "machine",
        service_call(
            "stepfunctions",
            "UpdateStateMachine",
            stateMachineArn=f"arn:aws:states:us-east-1:123456789012:stateMachine:{NAME}",
            definition=machine("by hand"),
        ),
        {"definition": machine("by hand")},
    ),
    ("rule", service_call("events", "DisableRule", Name=NAME), {"state": "DISABLED"}),
    (
        "target",
        service_call("events", "PutTargets", Rule=NAME, Targets=[{"Id": "topic", "Arn": OTHER_TOPIC, "Input": "{}"}]),
        {"arn": OTHER_TOPIC, "input": "{}"},
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "expected"), CHANGES, ids=[f"{name}-{'-'.join(changed)}" for name, _, changed in CHANGES]
)
def test_a_change_by_hand_differs_in_exactly_the_changed_input(
    name: str, change: Callable[[EmulatorClients], object], expected: Props, drift_stack: SmallStack
) -> None:
    [resource] = [resource for resource in drift_stack.graph.customs() if resource.name == name]
    before = read_current(resource, drift_stack.state, drift_stack.clients)
    assert before is not None
    change(drift_stack.clients)
    assert find_differences(before, read_current(resource, drift_stack.state, drift_stack.clients)) == expected


def test_changed_code_and_a_changed_object_have_other_hashes(drift_stack: SmallStack) -> None:
    lambda_, s3 = drift_stack.clients("lambda"), drift_stack.clients("s3")
    current_hash = lambda_.update_function_code(FunctionName=NAME, ZipFile=zip_of("changed = 1"))["CodeSha256"]
    etag = s3.put_object(Bucket=BUCKET, Key="job.py", Body=b"changed = 1")["ETag"]
    resources = {resource.name: resource for resource in drift_stack.graph.customs()}
    function = read_current(resources["function"], drift_stack.state, drift_stack.clients)
    script = read_current(resources["object"], drift_stack.state, drift_stack.clients)
    assert function is not None
    assert script is not None
    assert function["code"] == Archive(hash=current_hash)
    assert script["source"] == Asset(hash=etag)


NOT_DELETABLE = {
    "accelerate": "acceleration is suspended, not removed",
    "versioning": "a bucket always has a versioning state",
    "encryption": "S3 encrypts every bucket, by default with AES-256",
    "topic-policy": "a topic always has a policy",
}
"""Settings that exist as long as the resource that they belong to, each with the reason."""


def test_a_resource_deleted_by_hand_is_read_as_missing(drift_stack: SmallStack) -> None:
    resources = {resource.urn: resource for resource in drift_stack.graph.customs()}
    remaining = {}
    for urn in drift_stack.state.deletion_order(set(resources)):
        entry, resource = drift_stack.state.entries()[urn], resources[urn]
        if entry.emptied:
            delete_all_versions(drift_stack.clients("s3"), {"Bucket": entry.id})
        for call in entry.deletion:
            call_service(drift_stack.clients(call.service), call.operation, call.params)
        current = read_current(resource, drift_stack.state, drift_stack.clients)
        if current is not None:
            remaining[resource.name] = current
    assert remaining.keys() == NOT_DELETABLE.keys()
