"""Logs expire, and whoever writes logs writes them into a group of ours."""

import json
from collections.abc import Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import API_V2_STAGE, BATCH_JOB, FUNCTION, GLUE_JOB, LOG_GROUP, REST_STAGE
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    REMEDIATED_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
    Props,
)

POLICIES = PolicySet(PolicyGroup.COST)

REST_LOGS, WEBSOCKET_LOGS = "API-Gateway-Execution-Logs_", "/aws/apigateway/"


def _expiring(log_group: CheckedResource) -> Props:
    return {} if log_group.props.get("retentionInDays") else {"retentionInDays": int(log_group.limits["days"])}


@POLICIES.resource(
    "logs-expire",
    severity=PolicySeverity.MEDIUM,
    levels=REMEDIATED_EVERYWHERE,
    description="Every log group has a retention.",
    remedy="Set retentionInDays (foundation.logs.retentionDays does).",
    frameworks=("AWS Security Hub CloudWatch.16",),
    limits=(PolicyLimit("days", 90, "The retention that a group without one is given."),),
    types={LOG_GROUP},
    remediate=_expiring,
)
def _check_logs_expire(log_group: CheckedResource) -> Iterator[str]:
    if not log_group.props.get("retentionInDays"):
        yield "It keeps its logs for ever."


@POLICIES.resource(
    "logs-expire-in-time",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="No log group is kept longer than it is worth.",
    remedy="Lower foundation.logs.retentionDays; what must stay longer belongs into a bucket.",
    limits=(PolicyLimit("days", 400, "The longest retention."),),
    types={LOG_GROUP},
)
def _check_logs_expire_in_time(log_group: CheckedResource) -> Iterator[str]:
    days, most = log_group.props.get("retentionInDays") or 0, log_group.limits["days"]
    if days > most:
        yield f"It keeps its logs for {days:g} days, more than {most:g}."


def _names(stack: CheckedStack) -> set[str]:
    """The names of the groups that are known; the others are made of some API's id."""
    found = set()
    for log_group in stack.list_resources(LOG_GROUP):
        with suppress(UnknownValueError):
            found.add(str(log_group.props.get("name")))
    return found


@POLICIES.relation(
    "function-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every function logs into a group of ours.",
    remedy="Use the function block, which makes the group and names it.",
    types={FUNCTION},
)
def _check_function_logs_owned(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    group = function.get_nested("loggingConfig", "logGroup") or f"/aws/lambda/{function.props.get('name')}"
    if group not in _names(stack):
        yield f"It logs into {group}, which AWS makes by itself, without retention."


@POLICIES.relation(
    "api-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="The execution logs of every API stage go into a group of ours.",
    remedy=f"Make a log group {REST_LOGS}<api id>/<stage> (WebSocket: {WEBSOCKET_LOGS}<api id>/<stage>) before it.",
    types={REST_STAGE, API_V2_STAGE},
)
def _check_api_logs_owned(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """The group's name has the API's id; while that is unknown, the name is made of the API's outputs."""
    rest = resource.type == REST_STAGE
    prefix, api, stage = (REST_LOGS, "restApi", "stageName") if rest else (WEBSOCKET_LOGS, "apiId", "name")
    apis = resource.references.get(api, ())
    if apis:
        owned = any(set(apis) & set(group.references.get("name", ())) for group in stack.list_resources(LOG_GROUP))
    else:
        owned = f"{prefix}{resource.props.get(api)}/{resource.props.get(stage)}" in _names(stack)
    if not owned:
        yield f"Its execution logs go into {prefix}…, which AWS makes by itself, without retention."


@POLICIES.relation(
    "job-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Glue and Batch job logs into a group of ours.",
    remedy="Name it: --continuous-log-logGroup for Glue, logConfiguration with awslogs-group for Batch.",
    types={BATCH_JOB, GLUE_JOB},
)
def _check_job_logs_owned(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if resource.type == GLUE_JOB:
        group = resource.get_nested("defaultArguments", "--continuous-log-logGroup")
    else:
        configuration = json.loads(resource.props.get("containerProperties") or "{}").get("logConfiguration", {})
        group = configuration.get("options", {}).get("awslogs-group")
    if group not in _names(stack):
        yield f"It logs into {group or 'a group'} that AWS makes by itself, without retention."
