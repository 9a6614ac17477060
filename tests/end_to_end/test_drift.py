"""Tests of drift: the difference between the inputs that a program gave a resource and those that its service returns.

There is no drift until a resource is changed or deleted by hand, that is, with a call to the service and without the
program.
"""

import json
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
from tests.end_to_end.small_stack import SmallStack, zip_module

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]

NAME = "drift"
BUCKET = "drift-123456789012"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:drift"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:drift"
OTHER_TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:other"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:drift"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/drift"
LOG_GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:drift"
PERMISSIONS_BOUNDARY = "arn:aws:iam::aws:policy/AdministratorAccess"
TAGS = {"Owner": "you", "Stage": "test"}
CHANGED_TAGS = {"Owner": "me", "Stage": "test", "Added": "by hand"}
FILTER_PATTERN = '{ $.message = "failed" }'


def policy(*statements: Props) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust_policy(service: str) -> str:
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}})


POLL_STATEMENT = {
    "Effect": "Allow",
    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    "Resource": "*",
}
"""Permissions with which Lambda polls the queue."""
TLS_STATEMENT = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ADDED_STATEMENT = {"Sid": "ByHand", "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
PUBLIC_STATEMENT = {"Sid": "ByHand", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def state_machine_definition(comment: str) -> str:
    return json.dumps({"Comment": comment, "StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


def register_resources() -> None:
    """Register one resource of each common type."""
    role = aws.iam.Role("role", name=NAME, assume_role_policy=trust_policy("lambda.amazonaws.com"), tags=TAGS)
    grants = aws.iam.RolePolicy("grants", role=role.name, name="grants", policy=policy(POLL_STATEMENT))
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
    aws.sqs.QueuePolicy("queue-policy", queue_url=queue.url, policy=policy(TLS_STATEMENT))
    aws.lambda_.EventSourceMapping(
        "mapping",
        function_name=function.arn,
        event_source_arn=QUEUE_ARN,
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
    aws.sns.TopicPolicy("topic-policy", arn=topic.arn, policy=policy(TLS_STATEMENT))
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
        pattern=FILTER_PATTERN,
        metric_transformation={"name": "failures", "namespace": NAME, "value": "1"},
    )
    aws.ssm.Parameter(
        "parameter", name=f"/{NAME}", type="SecureString", value=pulumi.Output.secret("canary-one"), tags=TAGS
    )
    aws.sfn.StateMachine(
        "machine",
        name=NAME,
        role_arn=role.arn,
        definition=state_machine_definition("as deployed"),
        logging_configuration={
            "level": "ERROR",
            "include_execution_data": False,
            "log_destination": f"{LOG_GROUP_ARN}:*",
        },
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
        target={"arn": QUEUE_ARN, "role_arn": role.arn, "input": json.dumps({"kind": NAME})},
    )


def register_bucket() -> None:
    """Register a bucket, each of its settings, which are resources of their own, and an object."""
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
    aws.s3.BucketPolicy("bucket-policy", bucket=bucket, policy=policy(TLS_STATEMENT))
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
    """Return the inputs that the service returns for a resource; None if the resource does not exist."""
    entry = state.entries()[resource.urn]
    values = ResourceValues(resource.inputs, entry.id, dict(entry.outputs))
    return read_inputs(DRIVERS[resource.type], clients, values)


def find_differences(before: Props, after: Props | None) -> Props:
    """Return the new values of the inputs that differ. A removed input has the value None."""
    assert after is not None, "the resource no longer exists"
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def drift_stack(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    """Stack with one resource of each common type on the shared emulator.

    The tests of this module change its resources one after the other, and the last test deletes them.
    """
    state = PlatformState.empty(tmp_path_factory.mktemp("drift") / "state.json", "drift")
    stack = SmallStack(platform.emulator, platform.client, state)
    stack.up(register_resources)
    differences_by_resource = {
        resource.name: find_differences(resource.inputs, read_current(resource, state, platform.client))
        for resource in stack.graph.customs()
    }
    assert not any(differences_by_resource.values()), "a resource that was just created has not drifted"
    yield stack
    stack.up(lambda: None)


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


ManualChange = Callable[[EmulatorClients], object]
"""Change of a resource by hand, with clients of the emulator."""


def update_function(**settings: Any) -> ManualChange:
    return lambda clients: clients("lambda").update_function_configuration(FunctionName=NAME, **settings)


def update_queue(name: str = NAME, **attributes: str) -> ManualChange:
    return lambda clients: clients("sqs").set_queue_attributes(
        QueueUrl=clients("sqs").get_queue_url(QueueName=name)["QueueUrl"], Attributes=attributes
    )


def update_alarm(**settings: Any) -> ManualChange:
    """Return a change that sets these settings and keeps all others, which `PutMetricAlarm` would reset."""

    def put(clients: EmulatorClients) -> None:
        [alarm] = clients("cloudwatch").describe_alarms(AlarmNames=[NAME])["MetricAlarms"]
        accepted = clients("cloudwatch").meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        current_settings = {name: value for name, value in alarm.items() if name in accepted}
        clients("cloudwatch").put_metric_alarm(**{**current_settings, **settings})

    return put


def call_s3(operation: str, **settings: Any) -> ManualChange:
    return lambda clients: call_service(clients("s3"), operation, {"Bucket": BUCKET, **settings})


def call_api(service: str, operation: str, **parameters: Any) -> ManualChange:
    return lambda clients: call_service(clients(service), operation, parameters)


def disable_mapping(clients: EmulatorClients) -> None:
    [mapping] = clients("lambda").list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
    clients("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


CHANGED_TAG_LIST = [{"Key": "Owner", "Value": "me"}, {"Key": "Added", "Value": "by hand"}]
NO_RECOVERY = {"PointInTimeRecoveryEnabled": False}
ABORT_RULE = {"ID": "abort", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
EXPIRE_RULE = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 365}}
ADDED_RULE = {"ID": "added", "Status": "Disabled", "Expiration": {"Days": 1}, "Filter": {"Prefix": "tmp/"}}
CORS_RULE = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"]}
PUBLIC_ACCESS_BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": False}
METRIC_TRANSFORMATION = {"metricName": "failures", "metricNamespace": NAME, "metricValue": "2"}

CHANGES: list[tuple[str, ManualChange, Props]] = [
    ("function", update_function(MemorySize=256), {"memorySize": 256}),
    (
        "function",
        update_function(Environment={"Variables": {"LEVEL": "INFO", "KEY": "canary-two", "NEW": ""}}),
        {"environment": {"variables": {"LEVEL": "INFO", "KEY": Secret("canary-two"), "NEW": ""}}},
    ),
    (
        "function",
        call_api("lambda", "PutFunctionConcurrency", FunctionName=NAME, ReservedConcurrentExecutions=0),
        {"reservedConcurrentExecutions": 0},
    ),
    (
        "function",
        call_api("lambda", "TagResource", Resource=FUNCTION_ARN, Tags={"Owner": "me", "Added": "by hand"}),
        {"tags": CHANGED_TAGS},
    ),
    (
        "alias",
        call_api("lambda", "UpdateAlias", FunctionName=NAME, Name="live", FunctionVersion="$LATEST"),
        {"functionVersion": "$LATEST"},
    ),
    (
        "warm",
        call_api(
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
        call_api("lambda", "PutFunctionEventInvokeConfig", FunctionName=NAME, Qualifier="live", MaximumRetryAttempts=0),
        {"maximumRetryAttempts": 0},
    ),
    ("mapping", disable_mapping, {"enabled": False}),
    (
        "table",
        call_api("dynamodb", "TagResource", ResourceArn=TABLE_ARN, Tags=CHANGED_TAG_LIST),
        {"tags": CHANGED_TAGS},
    ),
    (
        "table",
        call_api("dynamodb", "UpdateContinuousBackups", TableName=NAME, PointInTimeRecoverySpecification=NO_RECOVERY),
        {"pointInTimeRecovery": {"enabled": False}},
    ),
    (
        "table",
        call_api(
            "dynamodb",
            "UpdateTable",
            TableName=NAME,
            GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-owner"}}],
        ),
        {"globalSecondaryIndexes": None, "attributes": [{"name": "sk", "type": "S"}, {"name": "pk", "type": "S"}]},
    ),
    (
        "bucket",
        call_s3("PutBucketTagging", Tagging={"TagSet": CHANGED_TAG_LIST}),
        {"tags": {"Owner": "me", "Added": "by hand"}},
    ),
    ("bucket", call_s3("DeleteBucketTagging"), {"tags": None}),
    (
        "versioning",
        call_s3("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"}),
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    (
        "encryption",
        call_s3(
            "PutBucketEncryption",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}}]
            },
        ),
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyID": "key"}}]},
    ),
    (
        "public-access",
        call_s3("PutPublicAccessBlock", PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK),
        {"restrictPublicBuckets": False},
    ),
    (
        "lifecycle",
        call_s3(
            "PutBucketLifecycleConfiguration",
            LifecycleConfiguration={"Rules": [EXPIRE_RULE, ADDED_RULE, {**ABORT_RULE, "Filter": {"Prefix": ""}}]},
        ),
        {
            "rules": [
                {"id": "abort", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}},
                {"id": "expire", "status": "Enabled", "filter": {"prefix": "logs/"}, "expiration": {"days": 365}},
                {"id": "added", "status": "Disabled", "filter": {"prefix": "tmp/"}, "expiration": {"days": 1}},
            ]
        },
    ),
    (
        "bucket-policy",
        call_s3("PutBucketPolicy", Policy=policy(PUBLIC_STATEMENT)),
        {"policy": policy(PUBLIC_STATEMENT)},
    ),
    (
        "cors",
        call_s3("PutBucketCors", CORSConfiguration={"CORSRules": [CORS_RULE]}),
        {"corsRules": [{"allowedMethods": ["PUT", "GET"], "allowedOrigins": ["*"]}]},
    ),
    (
        "logging",
        call_s3(
            "PutBucketLogging",
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": BUCKET, "TargetPrefix": "elsewhere/"}},
        ),
        {"targetPrefix": "elsewhere/"},
    ),
    (
        "ownership",
        call_s3("PutBucketOwnershipControls", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
        {"rule": {"objectOwnership": "ObjectWriter"}},
    ),
    ("queue", update_queue(VisibilityTimeout="90"), {"visibilityTimeoutSeconds": 90}),
    ("queue", update_queue(RedrivePolicy=""), {"redrivePolicy": None}),
    (
        "redrive-allow",
        update_queue(f"{NAME}-dlq", RedriveAllowPolicy=json.dumps({"redrivePermission": "allowAll"})),
        {"redriveAllowPolicy": json.dumps({"redrivePermission": "allowAll"})},
    ),
    (
        "accelerate",
        call_s3("PutBucketAccelerateConfiguration", AccelerateConfiguration={"Status": "Suspended"}),
        {"status": "Suspended"},
    ),
    ("queue-policy", update_queue(Policy=policy(PUBLIC_STATEMENT)), {"policy": policy(PUBLIC_STATEMENT)}),
    (
        "notification",  # after the change of `queue-policy`, which permits S3 to send messages to the queue
        call_s3(
            "PutBucketNotificationConfiguration",
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": QUEUE_ARN, "Events": ["s3:ObjectCreated:*"]}],
                "EventBridgeConfiguration": {},
            },
        ),
        {"queues": [{"queueArn": QUEUE_ARN, "events": ["s3:ObjectCreated:*"]}]},
    ),
    (
        "role",
        call_api("iam", "UpdateAssumeRolePolicy", RoleName=NAME, PolicyDocument=trust_policy("events.amazonaws.com")),
        {"assumeRolePolicy": trust_policy("events.amazonaws.com")},
    ),
    (
        "role",
        call_api("iam", "PutRolePermissionsBoundary", RoleName=NAME, PermissionsBoundary=PERMISSIONS_BOUNDARY),
        {"permissionsBoundary": PERMISSIONS_BOUNDARY},
    ),
    (
        "grants",
        call_api(
            "iam",
            "PutRolePolicy",
            RoleName=NAME,
            PolicyName="grants",
            PolicyDocument=policy(POLL_STATEMENT, ADDED_STATEMENT),
        ),
        {"policy": policy(POLL_STATEMENT, ADDED_STATEMENT)},
    ),
    ("alarm", update_alarm(Threshold=5.0), {"threshold": 5}),
    (
        "alarm",
        update_alarm(Dimensions=[{"Name": "FunctionName", "Value": "other"}]),
        {"dimensions": {"FunctionName": "other"}},
    ),
    ("alarm", call_api("cloudwatch", "DisableAlarmActions", AlarmNames=[NAME]), {"actionsEnabled": False}),
    ("group", call_api("logs", "DeleteRetentionPolicy", logGroupName=NAME), {"retentionInDays": None}),
    (
        "filter",
        call_api(
            "logs",
            "PutMetricFilter",
            logGroupName=NAME,
            filterName=NAME,
            filterPattern=FILTER_PATTERN,
            metricTransformations=[METRIC_TRANSFORMATION],
        ),
        {"metricTransformation": {"name": "failures", "namespace": NAME, "value": "2"}},
    ),
    (
        "topic-policy",
        call_api(
            "sns",
            "SetTopicAttributes",
            TopicArn=TOPIC_ARN,
            AttributeName="Policy",
            AttributeValue=policy(PUBLIC_STATEMENT),
        ),
        {"policy": policy(PUBLIC_STATEMENT)},
    ),
    (
        "parameter",
        call_api("ssm", "PutParameter", Name=f"/{NAME}", Type="SecureString", Value="canary-two", Overwrite=True),
        {"value": Secret("canary-two")},
    ),
    (
        "machine",
        call_api(
            "stepfunctions",
            "UpdateStateMachine",
            stateMachineArn=f"arn:aws:states:us-east-1:123456789012:stateMachine:{NAME}",
            definition=state_machine_definition("by hand"),
        ),
        {"definition": state_machine_definition("by hand")},
    ),
    ("rule", call_api("events", "DisableRule", Name=NAME), {"state": "DISABLED"}),
    (
        "target",
        call_api("events", "PutTargets", Rule=NAME, Targets=[{"Id": "topic", "Arn": OTHER_TOPIC_ARN, "Input": "{}"}]),
        {"arn": OTHER_TOPIC_ARN, "input": "{}"},
    ),
]
"""Pulumi name of a resource, its change by hand, and the values that its service then returns for the changed inputs."""


@pytest.mark.parametrize(
    ("name", "change", "expected"), CHANGES, ids=[f"{name}-{'-'.join(changed)}" for name, _, changed in CHANGES]
)
def test_a_change_by_hand_changes_exactly_the_expected_inputs(
    name: str, change: ManualChange, expected: Props, drift_stack: SmallStack
) -> None:
    [resource] = [resource for resource in drift_stack.graph.customs() if resource.name == name]
    before = read_current(resource, drift_stack.state, drift_stack.clients)
    assert before is not None
    change(drift_stack.clients)
    assert find_differences(before, read_current(resource, drift_stack.state, drift_stack.clients)) == expected


def test_changed_code_and_a_changed_object_have_other_hashes(drift_stack: SmallStack) -> None:
    lambda_, s3 = drift_stack.clients("lambda"), drift_stack.clients("s3")
    current_hash = lambda_.update_function_code(FunctionName=NAME, ZipFile=zip_module("index", "changed = 1"))[
        "CodeSha256"
    ]
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
"""Settings that cannot be deleted before the bucket or topic that they belong to, each with the reason."""


def test_a_resource_deleted_by_hand_is_read_as_missing(drift_stack: SmallStack) -> None:
    resources = {resource.urn: resource for resource in drift_stack.graph.customs()}
    remaining = set[str]()
    for urn in drift_stack.state.deletion_order(set(resources)):
        entry, resource = drift_stack.state.entries()[urn], resources[urn]
        if entry.emptied:  # a bucket must be empty before it is deleted
            delete_all_versions(drift_stack.clients("s3"), {"Bucket": entry.id})
        for call in entry.deletion:
            call_service(drift_stack.clients(call.service), call.operation, call.params)
        if read_current(resource, drift_stack.state, drift_stack.clients) is not None:
            remaining.add(resource.name)
    assert remaining == NOT_DELETABLE.keys()
