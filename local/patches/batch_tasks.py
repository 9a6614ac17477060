"""What Fargate does with the execution role before a container of a job starts: pull the image, open the log. Judged
from the role's own policies, and refused with what the service says then.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ecr

from local.patches import reached
from local.patches.batch_containers import repository_of
from local.patches.batch_logs import group_of
from local.patches.service_roles import STREAM, ServiceRoles, log_group_arn
from local.patches.trust import trusts

TASKS = "ecs-tasks.amazonaws.com"
PULLING = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITING = ("logs:CreateLogStream", "logs:PutLogEvents")


class NotStarted(Exception):
    """An attempt came to nothing before its process began; the message is the status reason."""


def prepare(roles: ServiceRoles, container: Mapping[str, Any], task: str) -> None:
    """Judges all that a task needs before it can start."""
    keys = {"aws:SourceAccount": get_account_id(), "aws:SourceArn": task}
    execution = str(container["executionRoleArn"])
    for role in (execution, str(container["jobRoleArn"])):
        if not trusts(role, TASKS, keys):
            raise NotStarted(f"ECS was unable to assume the role '{role}' that was provided for this task.")
    for action, resource in _pulls(str(container["image"])):
        if not roles.may(execution, action, resource):
            raise NotStarted(f"ResourceInitializationError: {_denied(execution, action, resource)}")
    group = f"{log_group_arn(group_of(container))}:log-stream:{STREAM}"
    for action in WRITING:
        if not roles.may(execution, action, group):
            raise NotStarted(
                "ResourceInitializationError: failed to validate logger args: "
                f"{_denied(execution, action, group)}: exit status 1"
            )


def _pulls(image: str) -> Iterator[tuple[str, str]]:
    repository = repository_of(image)
    if repository is None:
        return
    if repository not in reached(ecr, "_repositories"):
        raise NotStarted(
            f"CannotPullContainerError: pull image manifest has been retried 1 time(s): {image}: not found"
        )
    yield "ecr:GetAuthorizationToken", "*"
    for action in PULLING:
        yield action, f"arn:aws:ecr:{get_region()}:{get_account_id()}:repository/{repository}"


def _denied(role: str, action: str, resource: str) -> str:
    return f"AccessDeniedException: {role} is not authorized to perform: {action} on resource: {resource}"
