"""Logs expire, and whoever writes logs writes them into a group of ours."""

import json
from collections.abc import Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import BATCH_JOB, FUNCTION, GLUE_JOB, LOG_GROUP, REST_STAGE, SOCKET_STAGE
from guardrails.pack.policy_kinds import NOT_IN_DEV, REMEDIED, Group, Judged, Limit, PolicySet, Props, Severity, Stack

POLICIES = PolicySet(Group.COST)

REST_LOGS, SOCKET_LOGS = "API-Gateway-Execution-Logs_", "/aws/apigateway/"


def _expiring(one: Judged) -> Props:
    return {} if one.props.get("retentionInDays") else {"retentionInDays": int(one.limits["days"])}


@POLICIES.resource(
    "logs-expire",
    severity=Severity.MEDIUM,
    levels=REMEDIED,
    description="Every log group has a retention.",
    remedy="Set retentionInDays (foundation.logs.retentionDays does).",
    frameworks=("AWS Security Hub CloudWatch.16",),
    limits=(Limit("days", 90, "The retention that a group without one is given."),),
    types={LOG_GROUP},
    remediate=_expiring,
)
def _for_ever(one: Judged) -> Iterator[str]:
    if not one.props.get("retentionInDays"):
        yield "It keeps its logs for ever."


@POLICIES.resource(
    "logs-expire-in-time",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="No log group is kept longer than it is worth.",
    remedy="Lower foundation.logs.retentionDays; what must stay longer belongs into a bucket.",
    limits=(Limit("days", 400, "The longest retention."),),
    types={LOG_GROUP},
)
def _too_long(one: Judged) -> Iterator[str]:
    days, most = one.props.get("retentionInDays") or 0, one.limits["days"]
    if days > most:
        yield f"It keeps its logs for {days:g} days, more than {most:g}."


def _names(stack: Stack) -> set[str]:
    """The names of the groups that are known; the others are made of some API's id."""
    found = set()
    for one in stack.of(LOG_GROUP):
        with suppress(UnknownValueError):
            found.add(str(one.props.get("name")))
    return found


@POLICIES.relation(
    "function-logs-owned",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Every function logs into a group of ours.",
    remedy="Use the function block, which makes the group and names it.",
    types={FUNCTION},
)
def _function_without_group(one: Judged, stack: Stack) -> Iterator[str]:
    group = one.at("loggingConfig", "logGroup") or f"/aws/lambda/{one.props.get('name')}"
    if group not in _names(stack):
        yield f"It logs into {group}, which AWS makes by itself, without retention."


@POLICIES.relation(
    "api-logs-owned",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="The execution logs of every API stage go into a group of ours.",
    remedy=f"Make a log group {REST_LOGS}<api id>/<stage> (WebSocket: {SOCKET_LOGS}<api id>/<stage>) before it.",
    types={REST_STAGE, SOCKET_STAGE},
)
def _stage_without_group(one: Judged, stack: Stack) -> Iterator[str]:
    """The group's name has the API's id; while that is unknown, the name is made of the API's outputs."""
    rest = one.type == REST_STAGE
    prefix, api, stage = (REST_LOGS, "restApi", "stageName") if rest else (SOCKET_LOGS, "apiId", "name")
    apis = one.references.get(api, ())
    if apis:
        owned = any(set(apis) & set(group.references.get("name", ())) for group in stack.of(LOG_GROUP))
    else:
        owned = f"{prefix}{one.props.get(api)}/{one.props.get(stage)}" in _names(stack)
    if not owned:
        yield f"Its execution logs go into {prefix}…, which AWS makes by itself, without retention."


@POLICIES.relation(
    "job-logs-owned",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Every Glue and Batch job logs into a group of ours.",
    remedy="Name it: --continuous-log-logGroup for Glue, logConfiguration with awslogs-group for Batch.",
    types={BATCH_JOB, GLUE_JOB},
)
def _job_without_group(one: Judged, stack: Stack) -> Iterator[str]:
    if one.type == GLUE_JOB:
        group = one.at("defaultArguments", "--continuous-log-logGroup")
    else:
        configuration = json.loads(one.props.get("containerProperties") or "{}").get("logConfiguration", {})
        group = configuration.get("options", {}).get("awslogs-group")
    if group not in _names(stack):
        yield f"It logs into {group or 'a group'} that AWS makes by itself, without retention."
