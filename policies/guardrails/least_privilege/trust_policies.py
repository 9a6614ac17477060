"""Trust policies: who may take on a role, by kind: a service, a federated identity, another role."""

import re
from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import list_all_statements
from guardrails.least_privilege.trust_condition_keys import SENT_KEYS_BY_SERVICE
from guardrails.model.iam_documents import Statement, parse_statements
from guardrails.model.resource_types import IDENTITY_POLICIES, ROLE
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"
COGNITO = "cognito-identity.amazonaws.com"


def _trusting(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in parse_statements(resource.props.get("assumeRolePolicy")) if statement.is_allow]


def _services(resource: CheckedResource) -> Iterator[tuple[Statement, str]]:
    for statement in _trusting(resource):
        for kind, value in statement.principals:
            if kind == "Service":
                yield statement, value


@POLICIES.resource(
    "iam-trust-names-source",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A role that a service takes on says for which account and resource, where the service sends it.",
    remedy="Use trust_policy() of components/blocks/iam/trust_policy.py; a new service goes into both tables, with its page.",
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types={ROLE},
)
def _check_iam_trust_names_source(role: CheckedResource) -> Iterator[str]:
    for statement, service in _services(role):
        sends = SENT_KEYS_BY_SERVICE.get(service)
        if sends is None:
            yield f"It trusts {service}, of which nobody has looked up what it sends."
        elif sends.required:
            if sends.account and not statement.is_pinned_by(ACCOUNT):
                yield f"It trusts {service} for whatever account asks: {ACCOUNT} is not compared."
            if sends.arn and not statement.is_narrowed_by(ARN):
                yield f"It trusts {service} for whatever resource asks: {ARN} is not compared."


@POLICIES.resource(
    "iam-trust-usable",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A trust policy compares no key that its service does not send.",
    remedy="Compare what the service's guide says that it sends, or nothing.",
    types={ROLE},
)
def _check_iam_trust_usable(role: CheckedResource) -> Iterator[str]:
    for statement, service in _services(role):
        sends = SENT_KEYS_BY_SERVICE.get(service)
        if sends is None:
            continue
        if (statement.condition_values(ACCOUNT) and not sends.account) or (
            statement.condition_values(ARN) and not sends.arn
        ):
            yield f"{service} sends neither {ACCOUNT} nor {ARN}: it could never take on this role ({sends.page})."
        for arn in statement.condition_values(ARN) if sends.arn_part else ():
            if "*" not in arn and sends.arn_part not in arn:
                yield f"{service} sends an ARN with {sends.arn_part}, never {arn} ({sends.page})."


@POLICIES.resource(
    "iam-trust-federated-conditioned",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A role for federated identities compares audience and subject (Cognito: audience and kind).",
    remedy="Add StringEquals conditions on both claims, with the owner before a subject's first wildcard.",
    types={ROLE},
)
def _check_iam_trust_federated_conditioned(role: CheckedResource) -> Iterator[str]:
    for statement in _trusting(role):
        for kind, provider in statement.principals:
            if kind != "Federated":
                continue
            host = provider.partition(":oidc-provider/")[2] or provider
            for claim in ("aud", "amr") if host == COGNITO else ("aud", "sub"):
                if not statement.is_narrowed_by(f"{host}:{claim}"):
                    yield f"It trusts {host} without comparing {host}:{claim}."
            for subject in statement.condition_values(f"{host}:sub"):
                if not _owned(subject):
                    yield f"It trusts {host} for {subject}, whoever's that is."


def _owned(subject: str) -> bool:
    """Whether a subject is one, or says whose all of them are: `repo:owner/*`."""
    head = re.split(r"[*?]", subject, maxsplit=1)[0]
    return head == subject or "/" in head


@POLICIES.resource(
    "iam-trust-exact-principal",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A role that other roles take on names each of them by its exact ARN.",
    remedy="Name the role's ARN, with depends_on, because IAM refuses one that does not exist yet.",
    types={ROLE},
)
def _check_iam_trust_exact_principal(role: CheckedResource) -> Iterator[str]:
    for statement in _trusting(role):
        for kind, value in statement.principals:
            if kind == "*" or (kind == "AWS" and (":role/" not in value or "*" in value)):
                yield f"It trusts {value}, which is no single role."


@POLICIES.resource(
    "iam-session-tags-conditioned",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="sts:TagSession is limited to the tags that it is meant for, on both sides.",
    remedy="Add a condition on aws:TagKeys (ForAllValues) or on aws:RequestTag/<tag>.",
    types=IDENTITY_POLICIES,
)
def _check_iam_session_tags_conditioned(resource: CheckedResource) -> Iterator[str]:
    for statement in list_all_statements(resource):
        if not statement.is_allow or not statement.covers_action("sts:TagSession"):
            continue
        compared = {key.lower() for keys in statement.conditions.values() for key in keys}
        if not any(key.startswith("aws:requesttag/") or key == "aws:tagkeys" for key in compared):
            yield "It lets a session be tagged with any tag: whoever is let in could claim to be another user."
