"""Trust policies: who may take on a role.

AWS asks for `aws:SourceAccount` and `aws:SourceArn` in a trust policy where a service sends them, and a condition on
a key that a service does not send makes the role unusable, which no mock shows. So the services are in one table,
each with the page that says what it sends.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from components.blocks.context import Context


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


@dataclass(frozen=True)
class Sends:
    """Which context keys a service sends when it takes on a role."""

    source_account: bool
    source_arn: bool
    page: str


SENDS = {
    Service.API_GATEWAY: Sends(  # the page shows the role that logs are written with, and names no keys
        source_account=False,
        source_arn=False,
        page="https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",
    ),
    Service.BACKUP: Sends(  # the page speaks of topics and keys only, not of the role that backups are made with
        source_account=False,
        source_arn=False,
        page="https://docs.aws.amazon.com/aws-backup/latest/devguide/cross-service-confused-deputy-prevention.html",
    ),
    Service.ECS_TASKS: Sends(  # the ARN is a task's; the page's own pattern takes all of ECS
        source_account=True,
        source_arn=True,
        page="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html",
    ),
    Service.GLUE: Sends(  # the page names no keys for the role that a job runs with
        source_account=False,
        source_arn=False,
        page="https://docs.aws.amazon.com/glue/latest/dg/create-an-iam-role.html",
    ),
    Service.LAMBDA: Sends(
        source_account=False,
        source_arn=False,
        page="https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
    ),
    Service.MEDIACONVERT: Sends(
        source_account=True,
        source_arn=True,
        page="https://docs.aws.amazon.com/mediaconvert/latest/ug/cross-service-confused-deputy-prevention.html",
    ),
    Service.SCHEDULER: Sends(  # the ARN is the schedule group's, never a schedule's
        source_account=True,
        source_arn=True,
        page="https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
    ),
    Service.STATES: Sends(
        source_account=True,
        source_arn=True,
        page="https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html",
    ),
}

NAMED_BY_ARN = frozenset({"apigateway.amazonaws.com", "events.amazonaws.com"})
"""Services whose guides let them into functions and queues by `aws:SourceArn` alone, and whose ARNs have an account: a
condition on a key that they are not documented to send could keep them out (API Gateway guide, WebSocket Lambda
integrations; EventBridge guide, resource-based policies)."""


def trust_policy(service: Service, context: Context, source_arn: str | None = None) -> str:
    """The trust policy of a role for one service; `source_arn` (or a pattern) where the service sends it."""
    sends = SENDS[service]
    condition: dict[str, dict[str, str]] = {}
    if sends.source_account:
        condition["StringEquals"] = {"aws:SourceAccount": context.account}
    if sends.source_arn and source_arn is not None:
        condition["ArnLike"] = {"aws:SourceArn": source_arn}
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"Service": service.value},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)
