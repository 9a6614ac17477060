"""Tests of grants, which are typed permissions: actions on exact resources.

Invalid grants are refused. The valid grants of a role become one minimal policy document.
"""

import json
from typing import Any

import pulumi
import pytest

from components.blocks.iam.grant import IDENTITY_ID_VARIABLE, GrantError, grant, policy_document, policy_documents
from tests.fake_engine import Engine

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
OBJECTS = "arn:aws:s3:::bucket/incoming/*"


def statements(text: str) -> Any:
    parsed = json.loads(text)
    assert parsed["Version"] == "2012-10-17"
    return parsed["Statement"]


def test_grants_on_one_resource_become_one_statement() -> None:
    text = policy_document([grant("dynamodb", ["PutItem"], TABLE), grant("dynamodb", ["GetItem", "PutItem"], TABLE)])
    assert statements(text) == [
        {"Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Effect": "Allow", "Resource": [TABLE]}
    ]


def test_the_same_actions_on_two_resources_become_one_statement() -> None:
    text = policy_document([grant("dynamodb", ["GetItem"], f"{TABLE}2"), grant("dynamodb", ["GetItem"], TABLE)])
    assert statements(text)[0]["Resource"] == [TABLE, f"{TABLE}2"]


def test_grants_with_different_conditions_are_not_merged_and_their_order_does_not_matter() -> None:
    plain = grant("s3", ["ListBucket"], "arn:aws:s3:::bucket")
    limited = grant("s3", ["ListBucket"], "arn:aws:s3:::bucket", {"StringLike": {"s3:prefix": "incoming/*"}})
    assert len(statements(policy_document([plain, limited]))) == 2
    assert policy_document([plain, limited]) == policy_document([limited, plain])


@pytest.mark.parametrize(
    ("service", "action", "resource", "message"),
    [
        ("s3", "GetObject", "*", "it supports ARNs"),
        ("s3", "HeadObject", OBJECTS, "is not an IAM action"),
        ("s3", "Get*", OBJECTS, "Wildcards are not allowed"),
        ("s3", "*", OBJECTS, "Wildcards are not allowed"),
        ("nope", "GetObject", OBJECTS, "is not an IAM action"),
        ("s3", "GetObject", "arn:aws:s3:::bucket", "does not apply to the resource"),
        ("sqs", "SendMessage", TABLE, "does not apply to the resource"),
        ("xray", "PutTraceSegments", TABLE, "it supports no ARNs"),
    ],
)
def test_a_grant_without_its_intended_effect_is_refused(service: str, action: str, resource: str, message: str) -> None:
    with pytest.raises(GrantError, match=message):
        grant(service, [action], resource)


API = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("Invoke", f"{API}/live/$connect"),
        ("Invoke", f"{API}/*/$connect"),
        ("Invoke", f"{API}/live/GET/episodes"),
        ("ManageConnections", f"{API}/live/POST/@connections/*"),
    ],
)
def test_an_api_is_granted_by_method_or_by_connect_route(action: str, resource: str) -> None:
    assert grant("execute-api", [action], resource).resources == (resource,)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("Invoke", f"{API}/live/$disconnect"),
        ("Invoke", f"{API}/live/$default"),
        ("Invoke", f"{API}/live/say"),
        ("Invoke", f"{API}/$connect"),
        ("Invoke", f"{API}"),
        ("Invoke", "arn:aws:lambda:us-east-1:123456789012:a1b2c3/live/$connect"),
        ("ManageConnections", f"{API}/live/$connect"),
    ],
)
def test_an_arn_of_another_form_or_websocket_route_is_refused(action: str, resource: str) -> None:
    """IAM checks the requests of clients only at the route `$connect`."""
    with pytest.raises(GrantError, match="does not apply to the resource"):
        grant("execute-api", [action], resource)


def test_a_condition_on_a_key_that_the_action_lacks_is_refused() -> None:
    with pytest.raises(GrantError, match="would never hold"):
        grant("cloudwatch", ["PutMetricData"], "*", {"StringEquals": {"cloudwatch:namespce": "x"}})


def test_a_grant_with_an_unknown_arn_gets_its_own_document(engine: Engine) -> None:
    documents: list[str] = []

    def program() -> None:
        arn = pulumi.Output.from_input("arn:aws:execute-api:us-east-1:123456789012:api/prod/POST/@connections/*")
        role_documents = policy_documents(
            [grant("dynamodb", ["GetItem"], TABLE), grant("execute-api", ["ManageConnections"], arn)]
        )
        assert len(role_documents) == 2
        assert isinstance(role_documents[0], str)
        pulumi.Output.from_input(role_documents[1]).apply(documents.append)

    engine.run(program)
    assert statements(documents[0])[0]["Action"] == ["execute-api:ManageConnections"]


def test_an_unknown_arn_is_validated_once_it_is_known(engine: Engine) -> None:
    def program() -> None:
        policy_documents([grant("execute-api", ["ManageConnections"], pulumi.Output.from_input(TABLE))])

    with pytest.raises(GrantError, match="does not apply to the resource"):
        engine.run(program)


OWN_KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{IDENTITY_ID_VARIABLE}#*"}}
NOT_NULL = {"Null": {"dynamodb:LeadingKeys": "false"}}


def test_a_grant_may_be_limited_to_the_callers_cognito_identity() -> None:
    objects = f"arn:aws:s3:::bucket/queries/{IDENTITY_ID_VARIABLE}/*"
    table_grant = grant("dynamodb", ["GetItem"], TABLE, {**OWN_KEYS, **NOT_NULL})
    parsed_statements = statements(policy_document([grant("s3", ["PutObject"], objects), table_grant]))
    assert [statement["Resource"] for statement in parsed_statements] == [[TABLE], [objects]]
    assert parsed_statements[0]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${cognito-identity.amazonaws.com:sub}#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_further_conditions_are_added_to_existing_ones() -> None:
    limited_grant = grant("dynamodb", ["GetItem"], TABLE, {"StringEquals": {"dynamodb:Select": "COUNT"}})
    combined_grant = limited_grant.with_conditions({"StringEquals": {"aws:PrincipalTag/user": "x"}}).with_conditions(
        {**OWN_KEYS, **NOT_NULL}
    )
    assert statements(policy_document([combined_grant]))[0]["Condition"] == {
        "StringEquals": {"dynamodb:Select": "COUNT", "aws:PrincipalTag/user": "x"},
        **OWN_KEYS,
        **NOT_NULL,
    }
    assert limited_grant.conditions == (("StringEquals", "dynamodb:Select", ("COUNT",)),)


@pytest.mark.parametrize(
    "other_condition",
    [{}, {"Null": {"dynamodb:LeadingKeys": "true"}}, {"Null": {"dynamodb:Attributes": "false"}}],
    ids=["nothing", "the opposite", "another key"],
)
def test_a_for_all_values_condition_needs_a_null_condition(other_condition: dict[str, dict[str, str]]) -> None:
    with pytest.raises(GrantError, match="also holds for requests without dynamodb:LeadingKeys"):
        grant("dynamodb", ["GetItem"], TABLE, {**OWN_KEYS, **other_condition})
    with pytest.raises(GrantError, match="also holds for requests without dynamodb:LeadingKeys"):
        grant("dynamodb", ["GetItem"], TABLE).with_conditions({**OWN_KEYS, **other_condition})


def test_a_condition_never_replaces_another_one() -> None:
    limited_grant = grant("s3", ["ListBucket"], "arn:aws:s3:::bucket", {"StringLike": {"s3:prefix": "incoming/*"}})
    with pytest.raises(GrantError, match="occurs twice"):
        limited_grant.with_conditions({"StringLike": {"s3:prefix": "*"}})


@pytest.mark.parametrize("name", ["cognito-identity.amazonaws.com:subject", "sub", "", "aws"])
def test_a_policy_variable_without_a_value_is_refused(name: str) -> None:
    with pytest.raises(GrantError, match="A grant may use only"):
        grant("s3", ["PutObject"], f"arn:aws:s3:::bucket/${{{name}}}/*")
    with pytest.raises(GrantError, match="A grant may use only"):
        grant("s3", ["ListBucket"], "arn:aws:s3:::bucket", {"StringLike": {"s3:prefix": f"${{{name}}}/*"}})


@pytest.mark.parametrize("text", ["${aws:PrincipalTag/user}", "${aws:PrincipalTag/user, 'nobody'}", "a${*}", "${$}"])
def test_global_variables_and_escaped_characters_are_allowed(text: str) -> None:
    assert grant("s3", ["PutObject"], f"arn:aws:s3:::bucket/{text}/x").is_known


def test_a_variable_is_allowed_only_in_the_last_part_of_an_arn() -> None:
    with pytest.raises(GrantError, match="fifth colon"):
        grant("sqs", ["SendMessage"], "arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:queue")
