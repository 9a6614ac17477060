"""Tests of grants, which are typed permissions: actions on exact resources.

Invalid grants are refused. The valid grants of a role become one minimal policy document.
"""

import json
from typing import Any

import pulumi
import pytest

from components.blocks.iam import IDENTITY_ID_VARIABLE, GrantError, grant, policy_document, policy_documents
from tests.fake_engine import Engine

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
BUCKET, OBJECTS = "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/incoming/*"
API = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3"
OWN_KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{IDENTITY_ID_VARIABLE}#*"}}
NOT_NULL = {"Null": {"dynamodb:LeadingKeys": "false"}}


def statements(text: str) -> Any:
    return json.loads(text)["Statement"]


def test_grants_are_merged_by_resource_and_by_actions() -> None:
    one, other = TABLE, f"{TABLE}2"
    grants = [grant("dynamodb", ["GetItem"], other), grant("dynamodb", ["PutItem"], [one, other])]
    assert statements(policy_document([*grants, grant("dynamodb", ["GetItem", "PutItem"], one)])) == [
        {"Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Effect": "Allow", "Resource": [one, other]}
    ]


def test_grants_with_different_conditions_are_not_merged_and_their_order_does_not_matter() -> None:
    plain = grant("s3", ["ListBucket"], BUCKET)
    limited = grant("s3", ["ListBucket"], BUCKET, {"StringLike": {"s3:prefix": "incoming/*"}})
    assert len(statements(policy_document([plain, limited]))) == 2
    assert policy_document([plain, limited]) == policy_document([limited, plain])


@pytest.mark.parametrize(
    ("service", "action", "resource", "message"),
    [
        ("s3", "GetObject", "*", "it supports ARNs"),
        ("s3", "HeadObject", OBJECTS, "is not an IAM action"),
        ("s3", "Get*", OBJECTS, "Wildcards are not allowed"),
        ("nope", "GetObject", OBJECTS, "is not an IAM action"),
        ("s3", "GetObject", BUCKET, "does not apply to the resource"),
        ("sqs", "SendMessage", TABLE, "does not apply to the resource"),
        ("xray", "PutTraceSegments", TABLE, "it supports no ARNs"),
        ("sqs", "SendMessage", "arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:queue", "fifth colon"),
        # IAM checks the requests of clients only at the route `$connect`.
        ("execute-api", "Invoke", f"{API}/live/$disconnect", "does not apply to the resource"),
        ("execute-api", "Invoke", f"{API}/live/say", "does not apply to the resource"),
        ("execute-api", "Invoke", f"{API}/$connect", "does not apply to the resource"),
        ("execute-api", "ManageConnections", f"{API}/live/$connect", "does not apply to the resource"),
    ],
)
def test_a_grant_without_its_intended_effect_is_refused(service: str, action: str, resource: str, message: str) -> None:
    with pytest.raises(GrantError, match=message):
        grant(service, [action], resource)


@pytest.mark.parametrize("name", ["cognito-identity.amazonaws.com:subject", "sub", "", "aws"])
def test_a_policy_variable_without_a_value_is_refused(name: str) -> None:
    with pytest.raises(GrantError, match="A grant may use only"):
        grant("s3", ["PutObject"], f"{BUCKET}/${{{name}}}/*")
    with pytest.raises(GrantError, match="A grant may use only"):
        grant("s3", ["ListBucket"], BUCKET, {"StringLike": {"s3:prefix": f"${{{name}}}/*"}})


def test_a_condition_on_a_key_that_the_action_lacks_is_refused() -> None:
    with pytest.raises(GrantError, match="would never hold"):
        grant("cloudwatch", ["PutMetricData"], "*", {"StringEquals": {"cloudwatch:namespce": "x"}})


def test_further_conditions_are_added_to_existing_ones_and_never_replace_one() -> None:
    limited = grant("dynamodb", ["GetItem"], TABLE, {"StringEquals": {"dynamodb:Select": "COUNT"}})
    combined = limited.with_conditions({"StringEquals": {"aws:PrincipalTag/user": "x"}, **OWN_KEYS, **NOT_NULL})
    both = {"StringEquals": {"dynamodb:Select": "COUNT", "aws:PrincipalTag/user": "x"}}
    assert statements(policy_document([combined]))[0]["Condition"] == {**both, **OWN_KEYS, **NOT_NULL}
    assert limited.conditions == (("StringEquals", "dynamodb:Select", ("COUNT",)),)
    with pytest.raises(GrantError, match="occurs twice"):
        limited.with_conditions({"StringEquals": {"dynamodb:Select": "ALL_ATTRIBUTES"}})


@pytest.mark.parametrize(
    "other_condition",
    [{}, {"Null": {"dynamodb:LeadingKeys": "true"}}, {"Null": {"dynamodb:Attributes": "false"}}],
    ids=["nothing", "the opposite", "another key"],
)
def test_a_for_all_values_condition_needs_a_null_condition(other_condition: dict[str, dict[str, str]]) -> None:
    with pytest.raises(GrantError, match="also holds for requests without dynamodb:LeadingKeys"):
        grant("dynamodb", ["GetItem"], TABLE).with_conditions({**OWN_KEYS, **other_condition})


def test_a_grant_with_an_unknown_arn_gets_its_own_document(engine: Engine) -> None:
    documents: list[str] = []

    def program() -> None:
        arn = pulumi.Output.from_input(f"{API}/prod/POST/@connections/*")
        pending = grant("execute-api", ["ManageConnections"], arn, {"StringEquals": {"aws:PrincipalTag/user": "x"}})
        known, late = policy_documents([grant("dynamodb", ["GetItem"], TABLE), pending])
        assert isinstance(known, str)
        pulumi.Output.from_input(late).apply(documents.append)

    engine.run(program)
    [statement] = statements(documents[0])
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalTag/user": "x"}}


def test_an_unknown_arn_is_validated_once_it_is_known(engine: Engine) -> None:
    def program() -> None:
        policy_documents([grant("execute-api", ["ManageConnections"], pulumi.Output.from_input(TABLE))])

    with pytest.raises(GrantError, match="does not apply to the resource"):
        engine.run(program)
