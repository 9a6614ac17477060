"""Trust policies: who may take on a role.

AWS asks for `aws:SourceAccount` and `aws:SourceArn` in a trust policy where a service sends them, and a condition on
a key that a service does not send makes the role unusable, which no mock shows. The policy pack has a table of its own
(`policies/guardrails/least_privilege/trust_condition_keys.py`), with the page of each service that says what it sends.
"""

import json
from enum import StrEnum

from components.blocks.naming.context import Context


class Service(StrEnum):
    """The services that take on roles of ours."""

    API_GATEWAY = "apigateway.amazonaws.com"
    BACKUP = "backup.amazonaws.com"
    ECS_TASKS = "ecs-tasks.amazonaws.com"
    GLUE = "glue.amazonaws.com"
    LAMBDA = "lambda.amazonaws.com"
    MEDIACONVERT = "mediaconvert.amazonaws.com"
    SCHEDULER = "scheduler.amazonaws.com"
    STATES = "states.amazonaws.com"


SOURCE_SENDING_SERVICES = frozenset({Service.ECS_TASKS, Service.MEDIACONVERT, Service.SCHEDULER, Service.STATES})
"""Services that send `aws:SourceAccount` and `aws:SourceArn` when they take on a role; the guides of the others name neither.
ECS sends the ARN of a task, EventBridge Scheduler that of a schedule's group."""

SOURCE_ARN_ONLY_SERVICES = frozenset({"apigateway.amazonaws.com", "events.amazonaws.com"})
"""Services whose guides let them into functions and queues by `aws:SourceArn` alone, and whose ARNs have an account: a
condition on a key that they are not documented to send could keep them out (API Gateway guide, WebSocket Lambda
integrations; EventBridge guide, resource-based policies)."""


def trust_policy(service: Service, context: Context, source_arn: str | None = None) -> str:
    """The trust policy of a role for one service; `source_arn` (or a pattern) where the service sends it."""
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"Service": service.value},
        "Action": "sts:AssumeRole",
    }
    if service in SOURCE_SENDING_SERVICES:
        condition = {"StringEquals": {"aws:SourceAccount": context.account}}
        if source_arn is not None:
            condition["ArnLike"] = {"aws:SourceArn": source_arn}
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)
