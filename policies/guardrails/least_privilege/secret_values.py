"""Guardrail policies about secrets: environment variables and job arguments contain references to secrets, never the
secrets, and SSM parameters with secrets are encrypted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import BATCH_JOB, FUNCTION, GLUE_JOB, SSM_PARAMETER, TASK_DEFINITION
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

SECRET_NAME = re.compile(
    r"(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|(API|ACCESS|PRIVATE|ENCRYPTION|SIGNING|SECRET)_?KEY)$", re.IGNORECASE
)
"""Endings of names that usually belong to secrets. `TOKEN_ISSUER` or `MAX_TOKENS` does not match."""
REFERENCE_PREFIXES = ("arn:", "/", "alias/", "ssm:", "secretsmanager:", "{{resolve:", "https://", "s3://")
"""Beginnings of values that refer to a secret, for example by the name of a parameter, instead of containing it."""
HARMLESS_VALUE = re.compile(r"(true|false|[0-9.]*)", re.IGNORECASE)
"""Values that are no secret, even if the variable is named like a secret: a flag, a number, or an empty text."""
SECRET_PATTERNS = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."),
    "a URL with a password": re.compile(r"://[^/\s:@]+:[^/\s:@]+@"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
}
"""Forms of secrets that are recognised by their value, whatever the variable's name is."""


def _list_variables(resource: CheckedResource) -> Iterator[tuple[str, str]]:
    """Yield the names and known values of a function's, task's or job's environment variables or arguments. An unknown
    value is skipped, because it comes from another resource of the stack.
    """
    variables: Mapping[str, Any] = {}
    if resource.type == FUNCTION:
        variables = resource.get_nested("environment", "variables") or {}
    elif resource.type == GLUE_JOB:
        variables = resource.props.get("defaultArguments") or {}
    else:
        containers = (
            [json.loads(resource.props.get("containerProperties") or "{}")]
            if resource.type == BATCH_JOB
            else json.loads(resource.props.get("containerDefinitions") or "[]")
        )
        pairs = [pair for container in containers for pair in container.get("environment", [])]
        variables = {pair["name"]: pair.get("value", "") for pair in pairs}
    for name in variables:
        with suppress(UnknownValueError):
            yield name, str(variables[name])


@POLICIES.resource(
    "no-secret-in-environment",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Environment variables of functions and tasks, and arguments of jobs, contain no secrets.",
    remedy="Store the secret in an SSM SecureString parameter, and put the parameter's name into the variable.",
    frameworks=("AWS Well-Architected SEC02-BP03",),
    types={BATCH_JOB, FUNCTION, GLUE_JOB, TASK_DEFINITION},
)
def _check_no_secret_in_environment(resource: CheckedResource) -> Iterator[str]:
    for name, value in _list_variables(resource):
        for kind, pattern in SECRET_PATTERNS.items():
            if pattern.search(value):
                yield f"The variable {name} contains {kind}."
                break
        else:
            if (
                SECRET_NAME.search(name)
                and not value.startswith(REFERENCE_PREFIXES)
                and not HARMLESS_VALUE.fullmatch(value)
            ):
                yield f"The variable {name} is named like a secret, but contains a value instead of a reference."


@POLICIES.resource(
    "secret-parameter-encrypted",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An SSM parameter that is named like a secret is a SecureString.",
    remedy="Set type to SecureString.",
    types={SSM_PARAMETER},
)
def _check_secret_parameter_encrypted(parameter: CheckedResource) -> Iterator[str]:
    name = str(parameter.props.get("name", parameter.name))
    if SECRET_NAME.search(name.replace("-", "_")) and parameter.props.get("type") != "SecureString":
        yield f"The parameter {name} has type {parameter.props.get('type')}, so the secret is stored in plain text."
