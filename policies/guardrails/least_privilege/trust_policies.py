"""Trust policies: who may take on a role, by kind: a service, a federated identity, another role."""

import re
from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import said
from guardrails.least_privilege.trust_condition_keys import SENDS
from guardrails.model.iam_documents import Statement, statements
from guardrails.model.resource_types import IDENTITY_POLICIES, ROLE
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, PolicySet, Severity

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)

ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"
COGNITO = "cognito-identity.amazonaws.com"


def _trusting(one: Judged) -> list[Statement]:
    return [statement for statement in statements(one.props.get("assumeRolePolicy")) if statement.allows]


def _services(one: Judged) -> Iterator[tuple[Statement, str]]:
    for statement in _trusting(one):
        for kind, value in statement.principals:
            if kind == "Service":
                yield statement, value


@POLICIES.resource(
    "iam-trust-names-source",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A role that a service takes on says for which account and resource, where the service sends it.",
    remedy="Use trust_policy() of components/blocks/iam/trust_policy.py; a new service goes into both tables, with its page.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types={ROLE},
)
def _source_unnamed(one: Judged) -> Iterator[str]:
    for statement, service in _services(one):
        sends = SENDS.get(service)
        if sends is None:
            yield f"It trusts {service}, of which nobody has looked up what it sends."
        elif sends.required:
            if sends.account and not statement.pinned_by(ACCOUNT):
                yield f"It trusts {service} for whatever account asks: {ACCOUNT} is not compared."
            if sends.arn and not statement.narrowed_by(ARN):
                yield f"It trusts {service} for whatever resource asks: {ARN} is not compared."


@POLICIES.resource(
    "iam-trust-usable",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A trust policy compares no key that its service does not send.",
    remedy="Compare what the service's guide says that it sends, or nothing.",
    types={ROLE},
)
def _unusable(one: Judged) -> Iterator[str]:
    for statement, service in _services(one):
        sends = SENDS.get(service)
        if sends is None:
            continue
        if (statement.values(ACCOUNT) and not sends.account) or (statement.values(ARN) and not sends.arn):
            yield f"{service} sends neither {ACCOUNT} nor {ARN}: it could never take on this role ({sends.page})."
        for arn in statement.values(ARN) if sends.arn_part else ():
            if "*" not in arn and sends.arn_part not in arn:
                yield f"{service} sends an ARN with {sends.arn_part}, never {arn} ({sends.page})."


@POLICIES.resource(
    "iam-trust-federated-conditioned",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="A role for federated identities compares audience and subject (Cognito: audience and kind).",
    remedy="Add StringEquals conditions on both claims, with the owner before a subject's first wildcard.",
    types={ROLE},
)
def _federated_unconditioned(one: Judged) -> Iterator[str]:
    for statement in _trusting(one):
        for kind, provider in statement.principals:
            if kind != "Federated":
                continue
            host = provider.partition(":oidc-provider/")[2] or provider
            for claim in ("aud", "amr") if host == COGNITO else ("aud", "sub"):
                if not statement.narrowed_by(f"{host}:{claim}"):
                    yield f"It trusts {host} without comparing {host}:{claim}."
            for subject in statement.values(f"{host}:sub"):
                if not _owned(subject):
                    yield f"It trusts {host} for {subject}, whoever's that is."


def _owned(subject: str) -> bool:
    """Whether a subject is one, or says whose all of them are: `repo:owner/*`."""
    head = re.split(r"[*?]", subject, maxsplit=1)[0]
    return head == subject or "/" in head


@POLICIES.resource(
    "iam-trust-exact-principal",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="A role that other roles take on names each of them by its exact ARN.",
    remedy="Name the role's ARN, with depends_on, because IAM refuses one that does not exist yet.",
    types={ROLE},
)
def _whoever(one: Judged) -> Iterator[str]:
    for statement in _trusting(one):
        for kind, value in statement.principals:
            if kind == "*" or (kind == "AWS" and (":role/" not in value or "*" in value)):
                yield f"It trusts {value}, which is no single role."


@POLICIES.resource(
    "iam-session-tags-conditioned",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="sts:TagSession is limited to the tags that it is meant for, on both sides.",
    remedy="Add a condition on aws:TagKeys (ForAllValues) or on aws:RequestTag/<tag>.",
    types=IDENTITY_POLICIES,
)
def _session_tags(one: Judged) -> Iterator[str]:
    for statement in said(one):
        if not statement.allows or not statement.does("sts:TagSession"):
            continue
        compared = {key.lower() for keys in statement.conditions.values() for key in keys}
        if not any(key.startswith("aws:requesttag/") or key == "aws:tagkeys" for key in compared):
            yield "It lets a session be tagged with any tag: whoever is let in could claim to be another user."
