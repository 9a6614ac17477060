"""Tests of the rules about trust policies of roles."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.blocks.iam import Service
from guardrails.rules import trust
from tests.policies.program import Program, assert_new_finding
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER

Break = Callable[[Program], str]
POLICIES = [policy.name for policy in trust.POLICIES]
SWEEPER, CLIENT, SCHEDULED = "ingestion-sweeper-role", "meetings-client-role", "ingestion-sweep-role"
COGNITO = "cognito-identity.amazonaws.com"
AUD = {"StringEquals": {f"{COGNITO}:aud": "us-east-1:pool"}}
AMR = {"ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"}}
ARN = {"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"}}
ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
TAGS = ["sts:AssumeRole", "sts:TagSession"]


def trusting(principal: Any, action: Any = "sts:AssumeRole", **condition: Any) -> Break:
    """Return a change of the sweeper's trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
    return lambda program: program.change(SWEEPER, assumeRolePolicy=json.dumps({"Statement": statement}))


def schedule(**condition: Any) -> Break:
    return trusting({"Service": "scheduler.amazonaws.com"}, **condition)


def role(arn: str) -> Break:
    return trusting({"AWS": ["arn:aws:iam::123456789012:role/polyphony-prod-meetings-start", arn]})


def tag(*keys: str, **condition: Any) -> Break:
    """Return a change of the clients' trust policy, which allows session tags with other keys."""
    required = {"Null": {"aws:TagKeys": "false"}}
    compared = {"ForAllValues:StringEquals": {"aws:TagKeys": list(keys)}} if keys else condition
    return lambda program: program.edit(
        CLIENT, "assumeRolePolicy", lambda document: document["Statement"][0].update(Condition=compared | required)
    )


def remove_null(program: Program) -> str:
    return program.edit(
        "meetings-client-grants", "policy", lambda document: document["Statement"][0]["Condition"].pop("Null")
    )


BREAKS: dict[str, Break] = {
    "iam-trust-names-source": trusting({"Service": "ec2.amazonaws.com"}),
    "iam-trust-names-source:no account": schedule(**ARN),
    "iam-trust-names-source:no ARN": schedule(**ACCOUNT),
    "iam-trust-names-source:any account": schedule(StringLike={"aws:SourceAccount": "*"}, **ARN),
    "iam-trust-names-source:optional account": schedule(StringEqualsIfExists=ACCOUNT["StringEquals"], **ARN),
    "iam-trust-names-source:variable": schedule(StringEquals={"aws:SourceAccount": "${aws:PrincipalAccount}"}, **ARN),
    "iam-trust-names-source:variable ARN": schedule(ArnLike={"aws:SourceArn": "${aws:x}:schedule-group/"}, **ACCOUNT),
    "iam-trust-usable": trusting({"Service": "lambda.amazonaws.com"}, **ACCOUNT),
    "iam-trust-usable:other ARN": schedule(ArnLike={"aws:SourceArn": "arn:aws:scheduler:*:schedule/x"}, **ACCOUNT),
    "iam-trust-federated-conditioned": trusting({"Federated": COGNITO}, **AUD),
    "iam-trust-federated-conditioned:no pool": trusting({"Federated": COGNITO}, **AMR),
    "iam-trust-federated-conditioned:wildcard": trusting(
        {"Federated": COGNITO}, StringLike={f"{COGNITO}:aud": "us-east-1:*"}, **AMR
    ),
    "iam-trust-federated-conditioned:all values": trusting(
        {"Federated": COGNITO}, **{"ForAllValues:StringLike": AMR["ForAnyValue:StringLike"]}, **AUD
    ),
    "iam-trust-federated-conditioned:GitHub": trusting(
        {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}, **AUD, **AMR
    ),
    "iam-for-all-values-needs-key": remove_null,
    "iam-for-all-values-needs-key:trust": trusting("x", **{"ForAllValues:StringEquals": {"aws:TagKeys": "user"}}),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_fault_is_reported_about_its_resource(name: str) -> None:
    assert_new_finding(name.partition(":")[0], BREAKS[name])


def test_every_policy_has_a_fault() -> None:
    assert {name.partition(":")[0] for name in BREAKS} == set(POLICIES)


def test_the_trust_policy_of_a_pool_with_a_known_id_is_no_finding() -> None:
    program = Program()
    document = {"Effect": "Allow", "Principal": {"Federated": COGNITO}, "Condition": {**AUD, **AMR}}
    guest = program.change("voice-qa-guests-guest-role", assumeRolePolicy=json.dumps({"Statement": document}))
    assert [policy for policy, found in program.find_all(*POLICIES).items() if guest in found] == []


def test_every_service_of_the_program_has_its_page() -> None:
    assert trust.SENT_KEYS.keys() == set(Service)
    assert all(service["page"].endswith(".html") for service in trust.SENT_KEYS.values())
