"""Guardrail policies about trust policies of roles: which services and roles may assume a role, and which session tags
they may set. `federated_trust` checks federated identities.
"""

from collections.abc import Iterator

from guardrails.least_privilege.trust_condition_keys import SENT_KEYS_BY_SERVICE
from guardrails.model.iam_documents import Statement, is_exact_role_arn, parse_statements
from guardrails.model.resource_types import IDENTITY_POLICIES, ROLE
from guardrails.model.role_statements import list_statements_and_trust
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"


def _list_trust_statements(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in parse_statements(resource.props.get("assumeRolePolicy")) if statement.is_allow]


def _list_trusted_services(resource: CheckedResource) -> Iterator[tuple[Statement, str]]:
    """Yield each AWS service that a role trusts, with the statement that trusts it."""
    for statement in _list_trust_statements(resource):
        for kind, value in statement.principals:
            if kind == "Service":
                yield statement, value


@POLICIES.resource(
    "iam-trust-names-source",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "The trust policy of a role for a service has conditions on aws:SourceAccount and aws:SourceArn, if the service "
        "sends these keys."
    ),
    remedy=(
        "Use trust_policy() of components/blocks/iam/trust_policy.py. Add a new service to its "
        "table and to trust_condition_keys.py, with the AWS page."
    ),
    frameworks=("AWS Well-Architected SEC03-BP07",),
    types={ROLE},
)
def _check_iam_trust_names_source(role: CheckedResource) -> Iterator[str]:
    for statement, service in _list_trusted_services(role):
        sent_keys = SENT_KEYS_BY_SERVICE.get(service)
        if sent_keys is None:
            yield f"The role trusts {service}, but trust_condition_keys.py has no entry for this service."
        elif sent_keys.is_required:
            # The account must be exact (pinned), because a wildcard matches foreign accounts. An ARN may have
            # wildcards.
            if sent_keys.sends_account and not statement.is_pinned_by(ACCOUNT):
                yield f"The role trusts {service} for every account, because {ACCOUNT} is not compared."
            if sent_keys.sends_arn and not statement.is_narrowed_by(ARN):
                yield f"The role trusts {service} for every resource, because {ARN} is not compared."


@POLICIES.resource(
    "iam-trust-usable",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A trust policy has no condition that the service can never meet, because it sends other keys or ARNs.",
    remedy="Compare only the keys, and the kind of ARN, that the service's guide documents.",
    types={ROLE},
)
def _check_iam_trust_usable(role: CheckedResource) -> Iterator[str]:
    for statement, service in _list_trusted_services(role):
        sent_keys = SENT_KEYS_BY_SERVICE.get(service)
        if sent_keys is None:
            continue
        accounts, arns = statement.condition_values(ACCOUNT), statement.condition_values(ARN)
        if (accounts and not sent_keys.sends_account) or (arns and not sent_keys.sends_arn):
            yield (
                f"The trust policy compares {ACCOUNT} or {ARN}, but {service} does not send these keys, so "
                f"it could never assume the role ({sent_keys.page})."
            )
        for arn in arns if sent_keys.arn_part else ():
            if "*" not in arn and sent_keys.arn_part not in arn:
                yield (
                    f"The trust policy compares {ARN} with {arn}, but {service} sends an ARN that contains "
                    f"{sent_keys.arn_part} ({sent_keys.page})."
                )


@POLICIES.resource(
    "iam-trust-exact-principal",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="The trust policy of a role that other roles assume names each of them by its exact ARN.",
    remedy=(
        "Use the ARN of the role that assumes this role. Add that role to depends_on, because IAM refuses the ARN of a "
        "role that does not exist yet."
    ),
    types={ROLE},
    excusable=False,
)
def _check_iam_trust_exact_principal(role: CheckedResource) -> Iterator[str]:
    for statement in _list_trust_statements(role):
        for kind, value in statement.principals:
            if kind not in {"Service", "Federated"} and not is_exact_role_arn(value):
                yield f"The role trusts the principal {value}, which is not the ARN of one role."


@POLICIES.resource(
    "iam-session-tags-conditioned",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="sts:TagSession is limited to named session tags, in identity policies and in trust policies.",
    remedy="Add a condition on aws:TagKeys (ForAllValues) or on aws:RequestTag/<tag>.",
    types=IDENTITY_POLICIES,
)
def _check_iam_session_tags_conditioned(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements_and_trust(resource):
        if not statement.is_allow or not statement.covers_action("sts:TagSession"):
            continue
        compared = {key.lower() for keys in statement.conditions.values() for key in keys}
        if not any(key.startswith("aws:requesttag/") or key == "aws:tagkeys" for key in compared):
            yield "sts:TagSession is allowed with any tag, so a caller could tag the session as another user."
