"""No secret stands where people can read it: environments and job arguments hold references only."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import BATCH_JOB, FUNCTION, GLUE_JOB, SSM_PARAMETER, TASK_DEFINITION
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

NAMES = re.compile(
    r"(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|(API|ACCESS|PRIVATE|ENCRYPTION|SIGNING|SECRET)_?KEY)$", re.IGNORECASE
)
"""How names of secrets end; `TOKEN_ISSUER` or `MAX_TOKENS` is none."""
REFERENCES = ("arn:", "/", "alias/", "ssm:", "secretsmanager:", "{{resolve:", "https://", "s3://")
HARMLESS = re.compile(r"(true|false|[0-9.]*)", re.IGNORECASE)
SHAPES = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."),
    "a URL with a password": re.compile(r"://[^/\s:@]+:[^/\s:@]+@"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
}


def _values(resource: CheckedResource) -> Iterator[tuple[str, str]]:
    """The environment's names and known values. A value that is not known yet is a reference to some resource."""
    held: Mapping[str, Any] = {}
    match resource.type:
        case t if t == FUNCTION:
            held = resource.get_nested("environment", "variables") or {}
        case t if t == GLUE_JOB:
            held = resource.props.get("defaultArguments") or {}
        case t if t == BATCH_JOB:
            properties = resource.props.get("containerProperties") or "{}"
            held = {item["name"]: item.get("value", "") for item in json.loads(properties).get("environment", [])}
        case _:
            containers = json.loads(resource.props.get("containerDefinitions") or "[]")
            held = {
                item["name"]: item.get("value", "")
                for container in containers
                for item in container.get("environment", [])
            }
    for name in held:
        try:
            yield name, str(held[name])
        except UnknownValueError:
            continue


@POLICIES.resource(
    "no-secret-in-environment",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Environments of functions, jobs and tasks hold references to secrets, never secrets.",
    remedy="Put the secret into an SSM SecureString and its name into the variable.",
    frameworks=("AWS Well-Architected SEC02-BP03",),
    types={BATCH_JOB, FUNCTION, GLUE_JOB, TASK_DEFINITION},
)
def _check_no_secret_in_environment(resource: CheckedResource) -> Iterator[str]:
    for name, value in _values(resource):
        for what, shape in SHAPES.items():
            if shape.search(value):
                yield f"{name} holds {what}."
                break
        else:
            if NAMES.search(name) and not value.startswith(REFERENCES) and not HARMLESS.fullmatch(value):
                yield f"{name} looks like a secret and holds a value instead of a reference."


@POLICIES.resource(
    "secret-parameter-encrypted",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A parameter that is named like a secret is a SecureString.",
    remedy="Set type SecureString.",
    types={SSM_PARAMETER},
)
def _check_secret_parameter_encrypted(parameter: CheckedResource) -> Iterator[str]:
    name = str(parameter.props.get("name", parameter.name))
    if NAMES.search(name.replace("-", "_")) and parameter.props.get("type") != "SecureString":
        yield f"{name} has type {parameter.props.get('type')}: whoever lists parameters can read it."
