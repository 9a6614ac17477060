"""Policies about roles: who may assume a role, its permissions boundary, and what it may replace. Others are about the
services that may call a function.

Each check gets a resource, and some also the whole stack. It yields a message for each violation. The trust policy of a role
says who may assume it. `list_trust` returns its principals, and `list_allow_statements` the role's permissions.
"""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError

from guardrails import resource_types as t
from guardrails.iam_documents import LISTING_OPERATORS, Statement, matches_pattern, parse_statements
from guardrails.records import MANDATORY_EVERYWHERE, CheckedResource, CheckedStack, Group, PolicySet, Severity
from guardrails.rules.related import get_name, read_names
from guardrails.rules.requirement import describe

POLICIES = PolicySet(Group.LEAST_PRIVILEGE, levels=MANDATORY_EVERYWHERE, exceptions_allowed=False)
FILE = Path(__file__).with_name("sent_condition_keys.toml")
SENT_KEYS: Mapping[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))["roles"]
"""An entry for each service principal: the condition keys that the service sends when it assumes a role (`keys`), what
each ARN contains that it sends (`arn_part`), and the page of AWS that says so (`page`)."""
ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"
ARN_OPERATORS = ("ArnEquals", "ArnLike", *LISTING_OPERATORS)
COGNITO: Final = "cognito-identity.amazonaws.com"
AMR_OPERATORS = ("ForAnyValue:StringEquals", "ForAnyValue:StringLike")
"""Operators for the claim `amr` of Cognito, which has several values. They refuse a request without the claim."""
CODE_ACTIONS = (
    *("batch:RegisterJobDefinition", "ecr:PutImage", "glue:UpdateJob", "lambda:PublishLayerVersion"),
    *("lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
    "states:UpdateStateMachine",
)
"""Actions that change what a function, job or state machine runs. Only a deployment needs them."""
VARIABLE = re.compile(r"\$\{[^}]*\}")
"""Policy variable, whose value is a part of the request."""


def list_trust(role: CheckedResource, principal_kind: str = "") -> list[tuple[Statement, str, str]]:
    """Return the principals that may assume a role, all or those of one kind (`AWS`, `Service` or `Federated`). A tuple has
    the statement that allows the principal, its kind, and its value, for example `lambda.amazonaws.com`.
    """
    return [
        (statement, kind, value)
        for statement in parse_statements(role.get("assumeRolePolicy"))
        for kind, value in statement.principals
        if statement.is_allow and principal_kind in {"", kind}
    ]


def list_allow_statements(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    """Yield the Allow statements of a role's `RolePolicy` resources. After the known documents, raise the error of an
    unknown one, so that a check is undecided only about the rest.
    """
    unknown = None
    for policy in stack.list_resources(t.ROLE_POLICY):
        try:
            if role in policy.references.get("role", ()) or policy.get("role") == role.get("name"):
                yield from (statement for statement in parse_statements(policy.get("policy")) if statement.is_allow)
        except UnknownValueError as error:
            unknown = error
    if unknown is not None:
        raise unknown


@POLICIES.resource_policy(
    "iam-trust-names-source",
    severity=Severity.HIGH,
    description="The trust policy of a role for a service compares the source keys that the service sends.",
    remedy=f"Use trust_policy() of components/blocks/iam.py. Add a new service to {FILE.name}, with the AWS page.",
    types={t.ROLE},
)
def _check_iam_trust_names_source(role: CheckedResource) -> Iterator[str]:
    for statement, _, service in list_trust(role, "Service"):
        if service not in SENT_KEYS:
            yield f"The role trusts {service}, which {FILE.name} does not contain."
        keys = SENT_KEYS.get(service, {"keys": ()})["keys"]
        arns = statement.find_restriction(ARN, ARN_OPERATORS)
        if ACCOUNT in keys and not statement.restricts_exactly(ACCOUNT):
            yield f"The role trusts {service} for other accounts, because {ACCOUNT} is not compared with exact values."
        # A policy variable (`${…}`) could have any value. A wildcard may stand for an id, for example of an ECS task.
        if ARN in keys and (not arns or any("$" in arn for arn in arns)):
            yield f"The role trusts {service} for every resource, because {ARN} is not compared with a fixed value."


@POLICIES.resource_policy(
    "iam-trust-usable",
    severity=Severity.HIGH,
    description="A trust policy has no condition that the service can never meet, because it sends other keys or ARNs.",
    remedy="Compare only the keys, and the kind of ARN, that the service's guide documents.",
    types={t.ROLE},
    exceptions_allowed=True,
)
def _check_iam_trust_usable(role: CheckedResource) -> Iterator[str]:
    for statement, _, service in list_trust(role):
        sent = SENT_KEYS.get(service, {"keys": (ACCOUNT, ARN)})  # `iam-trust-names-source` reports an unknown service
        for key in (ACCOUNT, ARN):
            for value in [value for _, values in statement.list_conditions(key) for value in values]:
                if key not in sent["keys"]:
                    page = f"https://docs.aws.amazon.com/{sent['page']}"
                    yield f"{service} does not send {key}, so it could never assume the role ({page})."
                elif key == ARN and sent.get("arn_part", "") not in value:
                    yield f"{service} sends an ARN with {sent['arn_part']}, but the trust policy compares {value}."


@POLICIES.resource_policy(
    "iam-trust-federated-conditioned",
    severity=Severity.CRITICAL,
    description="A role trusts no federated identities but those of Cognito, with an exact pool (aud) and login state (amr).",
    remedy=f"Compare {COGNITO}:aud with StringEquals and {COGNITO}:amr with ForAnyValue:StringLike, without wildcards.",
    types={t.ROLE},
)
def _check_iam_trust_federated_conditioned(role: CheckedResource) -> Iterator[str]:
    for statement, _, provider in list_trust(role, "Federated"):
        if provider != COGNITO:
            yield f"The role trusts identities of {provider}."
        for claim, operators in (("aud", LISTING_OPERATORS), ("amr", AMR_OPERATORS)):
            if not statement.restricts_exactly(f"{COGNITO}:{claim}", operators):
                yield f"The trust policy does not compare {COGNITO}:{claim} with exact values."


@POLICIES.resource_policy(
    "iam-for-all-values-needs-key",
    severity=Severity.HIGH,
    description="A condition with ForAllValues has a second condition that refuses requests without the key.",
    remedy='Add the condition "Null": {"<key>": "false"}, because ForAllValues is also met if the key is absent.',
    types={t.BUCKET_POLICY, t.QUEUE_POLICY, t.ROLE, t.ROLE_POLICY, t.TOPIC_POLICY, t.VPC_ENDPOINT},
)
def _check_iam_for_all_values_needs_key(resource: CheckedResource) -> Iterator[str]:
    for statement in parse_statements(resource.get("assumeRolePolicy" if resource.type == t.ROLE else "policy")):
        for operator, keys in statement.conditions.items():
            for key in keys if operator.lower().startswith("forallvalues:") else ():
                if statement.is_allow and not statement.requires_key(key):
                    yield f"A ForAllValues condition compares {key}, and no Null condition refuses requests without it."


@POLICIES.resource_policy(
    "iam-role-has-boundary",
    severity=Severity.CRITICAL,
    description="Every role has the stack's own permissions boundary, `boundary-<stack>`. A local stack needs none.",
    remedy="Set foundation.permissionsBoundary. The role block (components/blocks/iam.py) gives it to every role.",
    types={t.ROLE, t.PLATFORM},
)
def _check_iam_role_has_boundary(resource: CheckedResource) -> Iterator[str]:
    """Check that a role has the boundary of the settings, and once for the stack that the setting names its own."""
    expected = resource.context.permissions_boundary
    if resource.type == t.PLATFORM:
        name = f"boundary-{resource.context.stack}"
        if resource.context.environment != "local" and expected.rpartition("/")[2] != name:
            yield f"foundation.permissionsBoundary is {describe(expected or None)}, but must be this stack's own {name}."
    elif expected:
        boundary = str(resource.get("permissionsBoundary") or "")
        if not boundary.endswith(f":policy/{expected}"):
            yield f"permissionsBoundary is {describe(boundary or None)}, but must be {expected}."


@POLICIES.related_policy(
    "iam-one-role-per-function",
    types={t.FUNCTION},
    severity=Severity.HIGH,
    description="Every function has its own role.",
    remedy="Use the function block (components/blocks/function.py), which creates a role.",
)
def _check_iam_one_role_per_function(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    roles = read_names(function, "role") & set(map(get_name, stack.list_resources(t.ROLE)))
    for other in stack.list_resources(t.FUNCTION):
        if other is not function and roles & read_names(other, "role"):
            yield f"The function shares its role with {other.name}, and so its permissions."


@POLICIES.resource_policy(
    "function-permission-source",
    types={t.FUNCTION_PERMISSION},
    severity=Severity.CRITICAL,
    description="A service may call a function only for resources of this account.",
    remedy="Set sourceArn to an ARN of this account. If the ARN contains no account, also set sourceAccount.",
)
def _check_function_permission_source(permission: CheckedResource) -> Iterator[str]:
    # The policy `value-allowed` refuses any other account than this one.
    if permission.get("sourceAccount"):
        return
    # An ARN is unknown only if it is computed from an API of this stack. The policy `names-of-stack` refuses any other.
    with suppress(UnknownValueError):
        if not permission.get("sourceArn"):
            yield f"{permission.get('principal')} may call the function for resources of other accounts."


@POLICIES.related_policy(
    "iam-no-code-replacement",
    severity=Severity.CRITICAL,
    description="No role may write the code of a Glue job, or change what a function, job or state machine runs.",
    remedy="Remove the action, or limit s3:PutObject to a prefix without code.",
    types={t.ROLE},
)
def _check_iam_no_code_replacement(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    code = [arn for job in stack.list_resources(t.GLUE_JOB) for arn in _list_code_arns(job)]
    for statement in list_allow_statements(role, stack):
        yield from (f"The role may call {action}." for action in CODE_ACTIONS if statement.covers_action(action))
        if statement.covers_action("s3:PutObject"):
            # A policy variable may have any value. A statement without `Resource` has `NotResource`, which may cover all.
            patterns = [VARIABLE.sub("*", resource) for resource in statement.resources] or ["*"]
            for arn in code:
                if any(matches_pattern(arn, pattern) for pattern in patterns):
                    yield f"The role may write {arn}, which a Glue job runs."


def _list_code_arns(job: CheckedResource) -> Iterator[str]:
    """Yield the ARNs of a job's script and libraries."""
    arguments = job.get("defaultArguments") or {}
    script = job.get("command.scriptLocation") or ""
    # Each argument is a list of locations, separated by commas.
    libraries = [arguments[key].split(",") for key in arguments if key.startswith("--extra-")]
    for location in filter(None, [script, *itertools.chain(*libraries)]):
        yield f"arn:aws:s3:::{location.strip().removeprefix('s3://')}"
