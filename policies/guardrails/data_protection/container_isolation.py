"""Guardrail policies about containers and their images. Containers are isolated from their host and from other
containers. Containers and functions run only images of this stack.
"""

import re
from collections.abc import Iterator
from typing import Any

from guardrails.model.nested_values import NestedValue, list_values
from guardrails.model.resource_types import BATCH_JOB, ECS_SERVICE, FUNCTION, TASK_DEFINITION
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

ROOT_USERS = re.compile(r"(root|0+)(:.*)?", re.IGNORECASE)
"""Users of a container with the permissions of root, with or without a group."""
TRUE_KEYS = {
    "privileged": "has all permissions of its host",
    "allowprivilegeescalation": "may gain the permissions of root",
    "hostnetwork": "shares the network of its host",
    "hostpid": "sees the processes of its host",
    "enableexecutecommand": "lets users run commands in the running container",
}
"""Settings that must not be true, in lower case, with what they mean."""
HOST_KEYS = {
    "networkmode": "shares the network of its host",
    "pidmode": "sees the processes of its host",
    "ipcmode": "shares the memory of its host",
}
"""Settings that must not be `host`, in lower case, with what they mean."""
PATH_KEYS = frozenset({"hostpath", "sourcepath"})
"""Keys of the path of a host's folder that a container mounts."""
USER_KEYS = frozenset({"runasuser", "user"})
PRIVATE_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)")
"""Address of an image in a private repository of ECR, of any account."""


@POLICIES.resource(
    "container-isolated",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No container is privileged, runs as root, shares parts of its host, or accepts commands of users.",
    remedy="Remove the setting. Jobs on Fargate need none of them.",
    frameworks=("AWS FSBP ECS.4", "AWS FSBP ECS.3"),
    types={BATCH_JOB, ECS_SERVICE, TASK_DEFINITION},
    excusable=False,
)
def _check_container_isolated(resource: CheckedResource) -> Iterator[str]:
    for setting in _list_settings(resource):
        fault = _find_fault(setting.path, setting.value)
        if fault:
            yield f"{setting.path} is {setting.value}: {fault}."


def _list_settings(resource: CheckedResource) -> Iterator[NestedValue]:
    """Yield the settings of a resource's containers, without environment variables, which may have any name."""
    for setting in list_values(resource.props):
        if setting.name and "environment" not in setting.path.lower():
            yield setting


def _find_fault(path: str, value: Any) -> str | None:
    """Return what is wrong with a setting of a container; None if nothing is wrong."""
    name, text = path.rpartition(".")[2].lower(), str(value)
    if re.search(r"capabilities\.add\[|\.devices\[", path):
        return "the container gets capabilities or devices of its host"
    if name in TRUE_KEYS and text.lower() == "true":
        return f"the container {TRUE_KEYS[name]}"
    if name in HOST_KEYS and text.lower() == "host":
        return f"the container {HOST_KEYS[name]}"
    if name in PATH_KEYS or (name == "path" and path.lower().endswith("hostpath.path")):
        return "the container mounts a folder of its host"
    # Numbers arrive as floats, so the user 0 is `0.0`.
    if name in USER_KEYS and ROOT_USERS.fullmatch(text.removesuffix(".0")):
        return "the container runs as root"
    if name == "runasnonroot" and text.lower() == "false":
        return "the container may run as root"
    return None


@POLICIES.resource(
    "image-of-stack",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Containers and functions run only images of a private repository of this stack.",
    remedy="Push the image to the stack's repository (docs/deploying.md), and use its digest.",
    types={BATCH_JOB, FUNCTION, TASK_DEFINITION},
)
def _check_image_of_stack(resource: CheckedResource) -> Iterator[str]:
    for setting in _list_settings(resource):
        if setting.path.rpartition(".")[2] in {"image", "imageUri"}:
            image = PRIVATE_IMAGE.match(str(setting.value))
            if image is None or not image["repository"].startswith(resource.context.name_prefix):
                yield (
                    f"{setting.path} is {setting.value}, which is not an image of this stack's repositories "
                    f"({resource.context.name_prefix}*)."
                )
