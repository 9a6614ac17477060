"""Guardrail policies about log groups: every group has a retention, and functions, APIs and jobs log into groups of
this stack. AWS would create a missing group by itself, without a retention, so its logs would be kept for ever.
"""

import json
from collections.abc import Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import API_V2_STAGE, BATCH_JOB, FUNCTION, GLUE_JOB, LOG_GROUP, REST_STAGE
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

REST_LOGS = "API-Gateway-Execution-Logs_"
"""Beginning of the name of the log group into which API Gateway writes the execution logs of a REST stage."""
WEBSOCKET_LOGS = "/aws/apigateway/"
"""Beginning of the name of the log group into which API Gateway writes the execution logs of a WebSocket stage."""
MAX_RETENTION_DAYS = 400
"""Maximum retention of a log group."""


@POLICIES.resource(
    "logs-expire",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every log group has a retention.",
    remedy=(
        "Set retentionInDays. The setting foundation.logs.retentionDays sets it for all blocks (components of "
        "components/blocks/)."
    ),
    frameworks=("AWS Security Hub CloudWatch.16",),
    types={LOG_GROUP},
)
def _check_logs_expire(log_group: CheckedResource) -> Iterator[str]:
    if not log_group.props.get("retentionInDays"):
        yield "retentionInDays is not set, so the log group keeps its logs for ever."


@POLICIES.resource(
    "logs-expire-in-time",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"No log group has a retention above {MAX_RETENTION_DAYS} days.",
    remedy="Lower foundation.logs.retentionDays. Store data that must be kept longer in a bucket.",
    types={LOG_GROUP},
)
def _check_logs_expire_in_time(log_group: CheckedResource) -> Iterator[str]:
    days = log_group.props.get("retentionInDays") or 0
    if days > MAX_RETENTION_DAYS:
        yield f"retentionInDays is {days:g} days; at most {MAX_RETENTION_DAYS} are allowed."


def _list_known_group_names(stack: CheckedStack) -> set[str]:
    """Return the names of the stack's log groups, as far as they are known. The name of an API's log group contains the
    API's id and can be unknown.
    """
    names = set()
    for log_group in stack.list_resources(LOG_GROUP):
        with suppress(UnknownValueError):
            names.add(str(log_group.props.get("name")))
    return names


@POLICIES.resource_in_stack(
    "function-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every function logs into a log group of this stack.",
    remedy=(
        "Use the function block (components/blocks/compute/function.py), which creates the log group and passes its name."
    ),
    types={FUNCTION},
)
def _check_function_logs_owned(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    group = function.get_nested("loggingConfig", "logGroup") or f"/aws/lambda/{function.props.get('name')}"
    if group not in _list_known_group_names(stack):
        yield f"The function logs into {group}, which AWS would create without a retention."


@POLICIES.resource_in_stack(
    "api-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every API stage writes its execution logs into a log group of this stack.",
    remedy=f"Create the log group {REST_LOGS}<api id>/<stage> (WebSocket: {WEBSOCKET_LOGS}<api id>/<stage>) first.",
    types={REST_STAGE, API_V2_STAGE},
)
def _check_api_logs_owned(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Yield a violation if the stack does not contain the log group of the stage's execution logs.

    The name of this group contains the id of the stage's API. If the API is a resource of the stack, its id can be
    unknown, so a group counts if its name is computed from this API. Otherwise the id is known, and the group is found
    by its name.
    """
    is_rest = resource.type == REST_STAGE
    prefix, api_key, name_key = (REST_LOGS, "restApi", "stageName") if is_rest else (WEBSOCKET_LOGS, "apiId", "name")
    apis = resource.references.get(api_key, ())
    if apis:
        is_owned = any(set(apis) & set(group.references.get("name", ())) for group in stack.list_resources(LOG_GROUP))
    else:
        name = f"{prefix}{resource.props.get(api_key)}/{resource.props.get(name_key)}"
        is_owned = name in _list_known_group_names(stack)
    if not is_owned:
        yield f"The stage writes its execution logs into {prefix}…, which AWS would create without a retention."


@POLICIES.resource_in_stack(
    "job-logs-owned",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Glue and Batch job logs into a log group of this stack.",
    remedy="Name the log group: in --continuous-log-logGroup for Glue, in the option awslogs-group for Batch.",
    types={BATCH_JOB, GLUE_JOB},
)
def _check_job_logs_owned(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if resource.type == GLUE_JOB:
        group = resource.get_nested("defaultArguments", "--continuous-log-logGroup")
    else:
        configuration = json.loads(resource.props.get("containerProperties") or "{}").get("logConfiguration", {})
        group = configuration.get("options", {}).get("awslogs-group")
    if group not in _list_known_group_names(stack):
        yield f"The job logs into {group or 'a group'} that AWS would create without a retention."
