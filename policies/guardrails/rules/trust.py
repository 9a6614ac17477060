"""Policies about trust policies of roles: which services, roles and identities may assume a role, and with which tags."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from guardrails.iam_documents import EXACT_OPERATORS, Statement, parse_statements
from guardrails.records import MANDATORY_EVERYWHERE, CheckedResource, Group, PolicySet, Severity
from guardrails.resource_types import BUCKET_POLICY, QUEUE_POLICY, ROLE, ROLE_POLICY, TOPIC_POLICY, VPC_ENDPOINT
from guardrails.rules.role_documents import list_trust

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)
COMMON_FIELDS: Any = {"levels": MANDATORY_EVERYWHERE, "exceptions_allowed": False}
FILE = Path(__file__).with_name("sent_condition_keys.toml")
SENT_KEYS: Mapping[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))["roles"]
"""The condition keys that a service sends when it assumes a role, by the service's principal."""
ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"
ARN_OPERATORS = ("ArnEquals", "ArnLike", *EXACT_OPERATORS)
COGNITO: Final = "cognito-identity.amazonaws.com"
AMR_OPERATORS = ("ForAnyValue:StringEquals", "ForAnyValue:StringLike")


@POLICIES.resource_policy(
    "iam-trust-names-source",
    severity=Severity.HIGH,
    description="The trust policy of a role for a service compares the source keys that the service sends.",
    remedy=f"Use trust_policy() of components/blocks/iam.py. Add a new service to {FILE.name}, with the AWS page.",
    types={ROLE},
    **COMMON_FIELDS,
)
def _check_iam_trust_names_source(role: CheckedResource) -> Iterator[str]:
    for statement, _, service in list_trust(role, "Service"):
        if service not in SENT_KEYS:
            yield f"The role trusts {service}, which {FILE.name} does not contain."
        keys = SENT_KEYS.get(service, {"keys": ()})["keys"]
        arns = statement.list_allowed(ARN, ARN_OPERATORS)
        if ACCOUNT in keys and not statement.is_pinned_by(ACCOUNT):
            yield f"The role trusts {service} for other accounts, because {ACCOUNT} is not compared with exact values."
        if ARN in keys and (not arns or any("$" in arn for arn in arns)):
            yield f"The role trusts {service} for every resource, because {ARN} is not compared."


@POLICIES.resource_policy(
    "iam-trust-usable",
    severity=Severity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A trust policy has no condition that the service can never meet, because it sends other keys or ARNs.",
    remedy="Compare only the keys, and the kind of ARN, that the service's guide documents.",
    types={ROLE},
)
def _check_iam_trust_usable(role: CheckedResource) -> Iterator[str]:
    for statement, _, service in list_trust(role):
        sent = SENT_KEYS.get(service, {"keys": (ACCOUNT, ARN)})  # a service without an entry is a finding already
        for key in (ACCOUNT, ARN):
            for value in [value for _, values in statement.list_compared(key) for value in values]:
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
    types={ROLE},
    **COMMON_FIELDS,
)
def _check_iam_trust_federated_conditioned(role: CheckedResource) -> Iterator[str]:
    for statement, _, provider in list_trust(role, "Federated"):
        if provider != COGNITO:
            yield f"The role trusts identities of {provider}."
        for claim, operators in (("aud", EXACT_OPERATORS), ("amr", AMR_OPERATORS)):
            if not statement.is_pinned_by(f"{COGNITO}:{claim}", operators):
                yield f"The trust policy does not compare {COGNITO}:{claim} with exact values."


def _list_allow_statements(resource: CheckedResource) -> list[Statement]:
    document = resource.get("assumeRolePolicy" if resource.type == ROLE else "policy")
    return [statement for statement in parse_statements(document) if statement.is_allow]


@POLICIES.resource_policy(
    "iam-for-all-values-needs-key",
    severity=Severity.HIGH,
    description="A condition with ForAllValues has a second condition that refuses requests without the key.",
    remedy='Add the condition "Null": {"<key>": "false"}, because ForAllValues is also met if the key is absent.',
    types={BUCKET_POLICY, QUEUE_POLICY, ROLE, ROLE_POLICY, TOPIC_POLICY, VPC_ENDPOINT},
    **COMMON_FIELDS,
)
def _check_iam_for_all_values_needs_key(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_allow_statements(resource):
        for operator, keys in statement.conditions.items():
            for key in keys if operator.lower().startswith("forallvalues:") else ():
                if not statement.requires(key):
                    yield f"A ForAllValues condition compares {key}, and no Null condition refuses requests without it."
