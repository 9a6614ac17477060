"""Tests of the policies about stored data, networks, APIs and failed work: a change of the recorded prod program for each policy."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from guardrails import resource_types as t
from guardrails.rules import failed_work, networks_and_apis, stored_data
from tests.policies.program import UNKNOWN, Program, assert_new_finding, change, edit, find_mandatory
from tests.whole_program import ONE_WORKER, STACKS

POLICIES = (*stored_data.POLICIES, *networks_and_apis.POLICIES, *failed_work.POLICIES)

pytestmark = ONE_WORKER

ACCOUNT = "123456789012"
BUCKET = "ingestion-landing-bucket"
QUEUE = "ingestion-intake-queue"
BUILDER = "ingestion-manifest-builder-function"
"""Function that reads the queue."""
SWEEPER = "ingestion-sweeper-function"
"""Function that a schedule calls."""
EPISODES = "livestream-episodes-function"
"""Function behind API Gateway."""
PERMISSION = "livestream-episodes-livestream-api-permission"
STAGE = "livestream-api-stage"
SOCKET = "voice-qa-socket"
"""WebSocket API with an authorizer."""


def after(*steps: object, name: str) -> str:
    """Return the name of the resource that a change of other resources affects."""
    assert all(steps)
    return name


def without(parts: dict[str, Any], *path: str) -> None:
    """Remove the last key of a path."""
    for key in path[:-1]:
        parts = parts[key]
    del parts[path[-1]]


BREAKS: dict[str, Callable[[Program], str]] = {
    "bucket-public-access-blocked": lambda p: after(p.drop("ingestion-landing-public-access-block"), name=BUCKET),
    "bucket-public-access-blocked:one": lambda p: after(
        p.change("ingestion-landing-public-access-block", blockPublicAcls=None), name=BUCKET
    ),
    "bucket-public-access-blocked:two": lambda p: after(
        p.add(t.BUCKET_PUBLIC_ACCESS, "second", {"bucket": f"polyphony-prod-ingestion-landing-{ACCOUNT}"}), name=BUCKET
    ),
    "bucket-access-logged": lambda p: after(p.drop("ingestion-landing-logging"), name=BUCKET),
    "stored-data-encrypted": lambda p: after(p.change("ingestion-landing-encryption", rules=[{}]), name=BUCKET),
    "stored-data-encrypted:glue": lambda p: p.edit(
        "ingestion-spark-security", "encryptionConfiguration", lambda modes: without(modes, "s3Encryption")
    ),
    "tls-only": lambda p: after(
        p.edit("ingestion-landing-policy", "policy", lambda policy: policy["Statement"][0]["Resource"].pop()),
        name=BUCKET,
    ),
    "tls-only:queue": lambda p: after(p.drop("ingestion-intake-policy"), name=QUEUE),
    "tls-only:topic": lambda p: after(
        p.edit(
            "foundation-alerts-critical-policy",
            "policy",
            lambda policy: policy["Statement"][0]["Condition"].update(StringEquals={"aws:PrincipalAccount": ACCOUNT}),
        ),
        name="foundation-alerts-critical-topic",
    ),
    "stored-data-recoverable": lambda p: after(p.drop("ingestion-landing-versioning"), name=BUCKET),
    "stored-data-expires": lambda p: after(p.drop("ingestion-lake-lifecycle"), name="ingestion-lake-bucket"),
    "stored-data-expires:disabled": lambda p: after(
        p.edit("ingestion-lake-lifecycle", "rules", lambda rules: [rule.update(status="Disabled") for rule in rules]),
        name="ingestion-lake-bucket",
    ),
    "stored-data-expires:versions": lambda p: after(
        p.edit(
            "ingestion-landing-lifecycle",
            "rules",
            lambda rules: [rule.pop("noncurrentVersionExpiration", None) for rule in rules],
        ),
        name=BUCKET,
    ),
    "bucket-never-emptied": change(t.BUCKET, forceDestroy=True),
    "table-point-in-time-recovery": change(t.TABLE, pointInTimeRecovery=None),
    "table-deletion-protected": change(t.TABLE, deletionProtectionEnabled=None),
    "glue-encrypts": change(t.GLUE_JOB, securityConfiguration=None),
    "backups-kept": edit(t.BACKUP_PLAN, "rules", lambda rules: rules[0].update(lifecycle={"deleteAfter": 6})),
    "cors-origin-named": edit(t.BUCKET_CORS, "corsRules", lambda rules: rules[0].update(allowedOrigins=["https://*"])),
    "cors-origin-named:function": change(
        "livestream-episodes-function", environment={"variables": {"ORIGIN": "http://app.example.com"}}
    ),
    "cors-origin-named:api": lambda program: program.change(
        t.REST_API, body=json.dumps({"a": [{"method.response.header.Access-Control-Allow-Origin": "'*'"}]})
    ),
    "network-not-open": lambda p: p.add(t.INGRESS_RULE, "open", {"cidrIpv4": "0.0.0.0/0"}),
    "network-not-open:out": lambda p: p.change(t.EGRESS_RULE, toPort=65535),
    "network-not-open:v6": lambda p: p.add(t.INGRESS_RULE, "open", {"cidrIpv6": "2600::/12"}),
    "endpoint-has-policy": lambda p: p.change("meetings-jobs-s3", policy=None),
    "api-asks-who-calls": lambda p: p.edit(
        "livestream-api-api", "body", lambda api: without(api, "paths", "/episodes", "get", "security")
    ),
    "api-asks-who-calls:choice": lambda p: p.edit(
        "livestream-api-api", "body", lambda api: api["paths"]["/episodes"]["get"]["security"].append({})
    ),
    "api-asks-who-calls:key": lambda p: p.edit(
        "livestream-api-api",
        "body",
        lambda api: without(api, "components", "securitySchemes", "lambda", "x-amazon-apigateway-authorizer"),
    ),
    "api-asks-who-calls:socket": lambda p: after(
        p.change(f"{SOCKET}-$connect-route", authorizationType=None), name=f"{SOCKET}-api"
    ),
    "api-asks-who-calls:no-route": lambda p: after(p.drop(f"{SOCKET}-$connect-route"), name=f"{SOCKET}-api"),
    "api-throttled": lambda p: after(p.drop("livestream-api-settings"), name=STAGE),
    "api-throttled:one-method": lambda p: after(
        p.change("livestream-api-settings", methodPath="episodes/GET"), name=STAGE
    ),
    "api-throttled:unlimited": lambda p: after(
        p.edit("livestream-api-settings", "settings", lambda limits: limits.update(throttlingRateLimit=-1)), name=STAGE
    ),
    "api-throttled:socket": lambda p: p.edit(
        f"{SOCKET}-stage", "defaultRouteSettings", lambda limits: without(limits, "throttlingBurstLimit")
    ),
    "api-logged": lambda p: p.change(STAGE, accessLogSettings=None),
    "api-logged:executions": lambda p: p.edit(
        "livestream-api-settings", "settings", lambda settings: settings.update(loggingLevel="OFF")
    ),
    "logs-owned": lambda p: after(p.drop("ingestion-manifest-builder-logs"), name=BUILDER),
    "logs-owned:api": lambda p: after(p.drop("livestream-api-execution-logs"), name=STAGE),
    "logs-owned:glue": lambda p: p.edit(
        "ingestion-spark-job", "defaultArguments", lambda arguments: arguments.pop("--custom-logGroup-prefix")
    ),
    "logs-owned:batch": lambda p: p.edit(
        "meetings-media-definition", "containerProperties", lambda container: container.pop("logConfiguration")
    ),
    "dead-letters-kept": lambda p: p.change(QUEUE, redrivePolicy=None),
    "dead-letters-kept:itself": lambda p: p.change(
        QUEUE,
        redrivePolicy=f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:{ACCOUNT}:polyphony-prod-ingestion-intake"}}',
    ),
    "dead-letters-kept:unknown": lambda p: p.change(QUEUE, redrivePolicy=UNKNOWN),
    "dead-letters-kept:days": lambda p: p.change("ingestion-intake-dlq-queue", messageRetentionSeconds=None),
    "dead-letters-kept:alarm": lambda p: after(
        p.change("ingestion-failed-events-alarm", threshold=1), name="ingestion-failed-events-queue"
    ),
    "dead-letters-kept:moved": lambda p: after(
        p.change("ingestion-intake-dlq-alarm", metricName="NumberOfMessagesSent"), name="ingestion-intake-dlq-queue"
    ),
    "async-failure-lands": lambda p: after(
        p.change("ingestion-sweeper-asynchronous", destinationConfig=None), name=SWEEPER
    ),
    "async-failure-lands:no-config": lambda p: after(p.drop("ingestion-sweeper-asynchronous"), name=SWEEPER),
    "async-failure-lands:reason": lambda p: p.edit(
        "transcription-audio-processor-function", "tags", lambda tags: tags.update(Reason="none")
    ),
    "failures-watched": lambda p: after(p.drop("ingestion-manifest-builder-errors-alarm"), name=BUILDER),
    "failures-watched:throttles": lambda p: after(p.drop("foundation-throttles-alarm"), name=BUILDER),
    "failures-watched:api": lambda p: after(p.drop("livestream-api-server-errors-alarm"), name=EPISODES),
    "failures-watched:alias": lambda p: after(
        p.edit("ingestion-manifest-builder-errors-alarm", "dimensions", lambda names: names.pop("Resource")),
        name=BUILDER,
    ),
    "failures-watched:workflow": lambda p: after(
        p.drop("ingestion-workflow-executionsfailed-alarm"), name="ingestion-workflow-machine"
    ),
    "function-timeout-fits-caller": lambda p: p.change(EPISODES, timeout=30),
    "function-timeout-fits-caller:queue": lambda p: after(p.change(QUEUE, visibilityTimeoutSeconds=400), name=BUILDER),
}


def test_every_policy_has_a_break() -> None:
    assert {name.partition(":")[0] for name in BREAKS} == {policy.name for policy in POLICIES}


@pytest.mark.parametrize("case", BREAKS)
def test_a_fault_is_found_where_it_is(case: str) -> None:
    assert_new_finding(case.partition(":")[0], BREAKS[case])


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_has_a_mandatory_finding(stack: str) -> None:
    assert find_mandatory(stack, POLICIES) == {}


def test_a_backup_may_be_kept_for_as_few_days_as_the_limit() -> None:
    program = Program()
    program.edit(t.BACKUP_PLAN, "rules", lambda rules: rules[0].update(lifecycle={"deleteAfter": 7}))
    assert program.find("backups-kept") == {}
