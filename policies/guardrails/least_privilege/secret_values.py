"""Guardrail policies about secrets: properties must contain references to secrets, never the secrets, and SSM
parameters with secrets must be encrypted.
"""

from collections.abc import Iterator, Mapping

from guardrails.model.nested_values import list_values
from guardrails.model.resource_types import (
    BATCH_JOB,
    FUNCTION,
    GLUE_JOB,
    SECRET_VERSION,
    SSM_PARAMETER,
    TASK_DEFINITION,
)
from guardrails.model.secret_detection import find_secret, is_secret_name
from guardrails.pack.policy_kinds import (
    EVERY_TYPE,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

PROGRAM_TYPES = frozenset({BATCH_JOB, FUNCTION, GLUE_JOB, TASK_DEFINITION})
"""Types of functions, tasks and jobs. Most secrets in properties are in their environment variables and arguments."""
SECRET_STORES: Mapping[str, frozenset[str]] = {
    SECRET_VERSION: frozenset({"secretString", "secretBinary"}),
    SSM_PARAMETER: frozenset({"value", "valueWo"}),
}
"""Properties that store a secret encrypted. An SSM parameter does so only if its type is SecureString."""
ENCRYPTED = "SecureString"


@POLICIES.resource(
    "no-secret-in-environment",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Environment variables, commands and arguments of functions, tasks and jobs contain no secrets.",
    remedy="Store the secret in an SSM SecureString parameter, and put the parameter's name into the variable.",
    frameworks=("AWS Well-Architected SEC02-BP03",),
    types=PROGRAM_TYPES,
)
def _check_no_secret_in_environment(resource: CheckedResource) -> Iterator[str]:
    yield from _find_secrets(resource)


@POLICIES.resource(
    "no-secret-in-properties",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "No property of a resource contains a secret, for example a tag or a stage variable. Functions, tasks and jobs "
        "have a policy of their own."
    ),
    remedy=(
        "Store the secret in an SSM SecureString parameter and refer to it. If the value is no secret, excuse the "
        "resource with an entry in polyphony:exceptions."
    ),
    frameworks=("AWS Well-Architected SEC02-BP03",),
    types={EVERY_TYPE},
)
def _check_no_secret_in_properties(resource: CheckedResource) -> Iterator[str]:
    if resource.type not in PROGRAM_TYPES:
        yield from _find_secrets(resource)


def _find_secrets(resource: CheckedResource) -> Iterator[str]:
    """Yield a message for each property that contains a secret. The message has the property's path, not its value."""
    stored = SECRET_STORES.get(resource.type, frozenset())
    if resource.type == SSM_PARAMETER and resource.props.get("type") != ENCRYPTED:
        stored = frozenset()
    for nested in list_values(resource.props):
        if not isinstance(nested.value, str) or nested.path.partition(".")[0] in stored:
            continue
        kind = find_secret(nested.name, nested.value)
        if kind is not None:
            yield f"The property {_describe(nested.path, nested.name)} contains {kind}."


def _describe(path: str, name: str) -> str:
    """Return the path of a property, with the name that its value belongs to. If this text looks like a secret itself,
    return only the first key of the path.
    """
    label = path if not name or path.endswith(f".{name}") else f"{path} ({name})"
    return label if find_secret("", label) is None else path.partition(".")[0]


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
    if is_secret_name(name) and parameter.props.get("type") != ENCRYPTED:
        yield f"The parameter {name} has type {parameter.props.get('type')}, so the secret is stored in plain text."
