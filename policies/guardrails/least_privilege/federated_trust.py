"""Guardrail policies about roles that federated identities assume: jobs of GitHub Actions, users of an OpenID Connect
provider, and identities of a Cognito identity pool.
"""

import re
from collections.abc import Iterator

from guardrails.model.iam_documents import Statement, parse_statements, to_list
from guardrails.model.resource_types import IDENTITY_POOL, ROLE
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

COGNITO = "cognito-identity.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"
GITHUB_AUDIENCE = "sts.amazonaws.com"
GITHUB_SUBJECT = re.compile(r"repo:[\w.-]+(@\d+)?/[\w.-]+(@\d+)?:environment:[^:]+")
"""Subject of a job with an environment. The numbers after `@` are the immutable ids of owner and repository:
https://docs.github.com/en/actions/reference/security/oidc
"""
TOKEN_CONDITION_OPERATORS = frozenset(
    {"ForAnyValue:StringEquals", "ForAnyValue:StringLike", "StringEquals", "StringLike"}
)
"""Condition operators that compare a key with allowed values, and refuse a token that lacks the key."""


@POLICIES.resource(
    "iam-trust-federated-conditioned",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "The trust policy of a role for federated identities compares their audience and subject with exact values. For "
        "GitHub, the subject names one environment of one repository. For Cognito, the authentication type replaces the "
        "subject."
    ),
    remedy=(
        "Compare the audience (aud) and the subject (sub) with StringEquals and without wildcards. For GitHub use the "
        f"audience {GITHUB_AUDIENCE} and the subject repo:<owner>/<repository>:environment:<environment>. For Cognito, "
        "compare the authentication type (amr) instead of the subject, with ForAnyValue:StringLike."
    ),
    types={ROLE},
    excusable=False,
)
def _check_iam_trust_federated_conditioned(role: CheckedResource) -> Iterator[str]:
    for statement, host in _list_federated_statements(role):
        claims = ("aud", "amr") if host == COGNITO else ("aud", "sub")
        values = {claim: _list_exact_values(statement, f"{host}:{claim}") for claim in claims}
        for claim in claims:
            if not values[claim]:
                yield f"The role trusts {host}, but does not compare {host}:{claim} with exact values."
        if host.partition("/")[0] != GITHUB:
            continue
        for audience in values["aud"]:
            if audience != GITHUB_AUDIENCE:
                yield f"The role trusts {host} for the audience {audience} instead of {GITHUB_AUDIENCE}."
        for subject in values["sub"]:
            if not GITHUB_SUBJECT.fullmatch(subject):
                yield f"The role trusts {host} for the subject {subject}, which is not one environment of one repository."


def _list_federated_statements(role: CheckedResource) -> Iterator[tuple[Statement, str]]:
    """Yield each Allow statement for federated identities, with the host name of their provider. Condition keys start
    with this name. A provider is named by an ARN that contains the host name; Cognito is named by the host name alone.
    """
    for statement in parse_statements(role.props.get("assumeRolePolicy")):
        for kind, provider in statement.principals if statement.is_allow else ():
            if kind == "Federated":
                yield statement, provider.partition(":oidc-provider/")[2] or provider


def _list_exact_values(statement: Statement, key: str) -> list[str]:
    """Return the values of the first condition that limits a key to exact values; empty if there is none. One such
    condition is enough, because all conditions of a statement must be met.
    """
    for operator in sorted(TOKEN_CONDITION_OPERATORS & statement.conditions.keys()):
        for name, condition_values in statement.conditions[operator].items():
            values = [str(value) for value in to_list(condition_values)]
            if name.lower() == key.lower() and not any({"*", "?", "$"} & set(value) for value in values):
                return values
    return []


@POLICIES.resource_in_stack(
    "iam-trust-own-identity-pool",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A role that Cognito identities assume trusts an identity pool of this stack.",
    remedy=f"Compare {COGNITO}:aud with the id of an IdentityPool resource of this stack.",
    types={ROLE},
    excusable=False,
)
def _check_iam_trust_own_identity_pool(role: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    # The pool's id is unknown before the deployment, but Pulumi knows from which resource it comes.
    if any(reference.type == IDENTITY_POOL for reference in role.references.get("assumeRolePolicy", ())):
        return
    if any(host == COGNITO for _, host in _list_federated_statements(role)):
        yield f"The role trusts {COGNITO}, but its trust policy contains no id of an identity pool of this stack."
