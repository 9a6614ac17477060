"""Trust policies of roles that AWS services assume, and the condition keys that services send with their requests.

AWS recommends conditions on `aws:SourceAccount` and `aws:SourceArn` if the service sends them. A condition on a key
that a service does not send makes the role or the resource unusable, and tests with mocks do not show it.

The guardrail policies check every role, whatever code creates it. So they do not use this module, but have their own
table of the condition keys (`policies/guardrails/least_privilege/trust_condition_keys.py`), which cites each service's
documentation.
"""

import json
from enum import StrEnum

from components.blocks.naming.context import Context


class Service(StrEnum):
    """Services that assume roles of this program."""

    API_GATEWAY = "apigateway.amazonaws.com"
    BACKUP = "backup.amazonaws.com"
    ECS_TASKS = "ecs-tasks.amazonaws.com"
    GLUE = "glue.amazonaws.com"
    LAMBDA = "lambda.amazonaws.com"
    MEDIACONVERT = "mediaconvert.amazonaws.com"
    SCHEDULER = "scheduler.amazonaws.com"
    STATES = "states.amazonaws.com"


SOURCE_SENDING_SERVICES = frozenset({Service.ECS_TASKS, Service.MEDIACONVERT, Service.SCHEDULER, Service.STATES})
"""Services that send `aws:SourceAccount` and `aws:SourceArn` when they assume a role. The guides of the other services
name neither key. ECS sends a task's ARN, and EventBridge Scheduler sends a schedule group's ARN."""

SOURCE_ARN_ONLY_SERVICES = frozenset({"apigateway.amazonaws.com", "events.amazonaws.com"})
"""Services for which the resource policies of functions and queues have a condition on `aws:SourceArn` only. No guide
says that they send `aws:SourceAccount`, so a condition on it could lock them out. The source's ARN contains the account
(API Gateway guide, WebSocket Lambda integrations; EventBridge guide, resource-based policies)."""


def trust_policy(service: Service, context: Context, source_arn: str | None = None) -> str:
    """Return the trust policy of a role for one service.

    If the service sends `aws:SourceArn`, the policy is limited to `source_arn` (an ARN or a pattern).
    """
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
