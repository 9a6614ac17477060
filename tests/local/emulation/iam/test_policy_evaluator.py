"""Tests of IAM's documented logic as a table of statements, a request and the verdict."""

from typing import Any

import pytest

from local.emulation.iam.policy_conditions import NotEvaluable
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, evaluate_policies, policy_admits

pytestmark = pytest.mark.unit

ALLOW, DENY, IMPLICIT = AccessVerdict.ALLOW, AccessVerdict.DENY, AccessVerdict.IMPLICIT_DENY
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions"
SUB = "cognito-identity.amazonaws.com:sub"
KEYS = "dynamodb:LeadingKeys"


def allow(action: Any = "dynamodb:PutItem", resource: Any = TABLE, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition["condition"]} if condition else statement


def deny(action: Any = "dynamodb:PutItem", resource: Any = TABLE, **condition: Any) -> dict[str, Any]:
    return {**allow(action, resource, **condition), "Effect": "Deny"}


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return allow(condition={operator: {key: value}})


OWN = allow(
    condition={
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${cognito-identity.amazonaws.com:sub}#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
)

OTHER_KEYS = when("ForAllValues:StringNotEqualsIgnoreCase", "aws:TagKeys", ["Project", "Environment"])

CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], AccessVerdict]] = [
    ("a list names it", [allow(["dynamodb:GetItem", "dynamodb:PutItem"], ["arn:other", TABLE])], {}, ALLOW),
    ("actions by one character", [allow("dynamodb:PutIte?")], {}, ALLOW),
    ("one of several values", [when("StringEquals", "aws:SourceAccount", ["1", "2"])], {"aws:SourceAccount": "2"}, ALLOW),
    ("Null true of a key that is", [when("Null", KEYS, "true")], {KEYS: ["a"]}, IMPLICIT),
    ("a variable in any case", [allow(resource=f"{TABLE[:-8]}${{{SUB.upper()}}}")], {SUB: "sessions"}, ALLOW),
    ("a literal asterisk is no wildcard", [allow(resource=f"{TABLE[:-8]}${{*}}")], {}, IMPLICIT),
    ("no key is one of these", [OTHER_KEYS], {"aws:TagKeys": ["Owner", "Name"]}, ALLOW),
    ("a key is one of these, in any case", [OTHER_KEYS], {"aws:TagKeys": ["Owner", "project"]}, IMPLICIT),
    ("IfExists without the key", [when("StringEqualsIfExists", "s3:prefix", "a")], {}, ALLOW),
    ("IfExists with another value", [when("StringEqualsIfExists", "s3:prefix", "a")], {"s3:prefix": "b"}, IMPLICIT),
    ("named", [allow()], {}, ALLOW),
    ("another action", [allow("dynamodb:GetItem")], {}, IMPLICIT),
    ("actions by wildcard", [allow("dynamodb:Put*")], {}, ALLOW),
    ("another resource", [allow(resource=f"{TABLE}2")], {}, IMPLICIT),
    ("resources to the letter", [allow(resource=TABLE.replace("sessions", "Sessions"))], {}, IMPLICIT),
    ("resources by wildcard", [allow(resource="arn:aws:dynamodb:*:*:table/*")], {}, ALLOW),
    ("an explicit deny wins, before", [deny(), allow()], {}, DENY),
    ("an explicit deny wins, after", [allow(), deny()], {}, DENY),
    ("a deny whose condition fails", [allow(), deny(condition={"Bool": {"aws:SecureTransport": "false"}})],
     {"aws:SecureTransport": "true"}, ALLOW),
    ("a deny whose condition holds", [allow(), deny(condition={"Bool": {"aws:SecureTransport": "false"}})],
     {"aws:SecureTransport": "false"}, DENY),
    ("StringEquals", [when("StringEquals", "aws:SourceAccount", "1")], {"aws:SourceAccount": "1"}, ALLOW),
    ("a key that is not there", [when("StringEquals", "aws:SourceAccount", "1")], {}, IMPLICIT),
    ("StringEquals knows no wildcard", [when("StringEquals", "s3:prefix", "a*")], {"s3:prefix": "ab"}, IMPLICIT),
    ("StringLike does", [when("StringLike", "s3:prefix", "a*")], {"s3:prefix": "ab"}, ALLOW),
    ("all operators must hold", [allow(condition={"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}})],
     {"s3:prefix": "a", "aws:SecureTransport": "false"}, IMPLICIT),
    ("all keys must hold", [allow(condition={"StringEquals": {"s3:prefix": "a", "aws:SourceAccount": "1"}})], {"s3:prefix": "a"}, IMPLICIT),
    ("ArnLike by wildcard", [when("ArnLike", "aws:SourceArn", "arn:aws:events:*:1:rule/*")],
     {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/a:b"}, ALLOW),
    ("a wildcard in an ARN stays within its part", [when("ArnLike", "aws:SourceArn", "arn:aws:*:rule/x")],
     {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/x"}, IMPLICIT),
    ("Null true of a key that is not there", [when("Null", KEYS, "true")], {}, ALLOW),
    ("Null false of a key that is not there", [when("Null", KEYS, "false")], {}, IMPLICIT),
    ("Null false of a key that is", [when("Null", KEYS, "false")], {KEYS: ["a"]}, ALLOW),
    ("ForAllValues with all", [when("ForAllValues:StringLike", KEYS, "a#*")], {KEYS: ["a#1", "a#2"]}, ALLOW),
    ("ForAllValues with one that is not", [when("ForAllValues:StringLike", KEYS, "a#*")], {KEYS: ["a#1", "b#1"]}, IMPLICIT),
    ("ForAllValues with none holds, hence `Null` beside it", [when("ForAllValues:StringLike", KEYS, "a#*")], {}, ALLOW),
    ("ForAnyValue with one", [when("ForAnyValue:StringEquals", KEYS, "a")], {KEYS: ["b", "a"]}, ALLOW),
    ("ForAnyValue with none", [when("ForAnyValue:StringEquals", KEYS, "a")], {}, IMPLICIT),
    ("a variable in a condition", [when("ForAllValues:StringLike", KEYS, f"${{{SUB}}}#*")], {KEYS: ["me#1"], SUB: "me"}, ALLOW),
    ("a variable without a value matches nothing", [when("ForAllValues:StringLike", KEYS, f"${{{SUB}}}#*")], {KEYS: ["#1"]}, IMPLICIT),
    ("a wildcard in a variable's value is a letter", [when("ForAllValues:StringLike", KEYS, f"${{{SUB}}}#*")],
     {KEYS: ["you#1"], SUB: "*"}, IMPLICIT),
    ("a variable in a resource", [allow(resource=f"{TABLE[:-8]}${{{SUB}}}")], {SUB: "sessions"}, ALLOW),
    ("a variable in a resource, without a value", [allow(resource=f"{TABLE[:-8]}${{{SUB}}}")], {}, IMPLICIT),
    ("a variable in a resource is no wildcard", [allow(resource=f"{TABLE[:-8]}${{{SUB}}}")], {SUB: "*"}, IMPLICIT),
    ("a guest's own key, and `Null` beside it", [OWN], {KEYS: ["me#1"], SUB: "me"}, ALLOW),
    ("one of two keys is another's", [OWN], {KEYS: ["me#1", "you#1"], SUB: "me"}, IMPLICIT),
    ("an empty list of keys", [OWN], {KEYS: [], SUB: "me"}, IMPLICIT),
    ("Null in any case", [when("Null", KEYS, "False")], {KEYS: ["a"]}, ALLOW),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "context", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_request_is_evaluated_as_iam_documents_it(
    statements: list[dict[str, Any]], context: dict[str, Any], verdict: AccessVerdict
) -> None:
    document = {"Version": "2012-10-17", "Statement": statements}
    assert evaluate_policies([document], AccessRequest("dynamodb:PutItem", TABLE, context)) is verdict


@pytest.mark.parametrize("tag", ["*", "?1", "${aws:username}", "../u2"])
def test_the_value_of_a_session_tag_matches_only_itself(tag: str) -> None:
    uploads = "arn:aws:s3:::recordings/raw/"
    statements = [
        allow("s3:PutObject", f"{uploads}${{aws:PrincipalTag/user}}/*"),
        allow("s3:ListBucket", "*", condition={"StringLike": {"s3:prefix": "raw/${aws:PrincipalTag/user}/*"}}),
    ]
    for user, verdict in {tag: ALLOW, "u1": IMPLICIT, "u2": IMPLICIT}.items():
        context = {"aws:PrincipalTag/user": tag, "aws:username": "u1", "s3:prefix": f"raw/{user}/"}
        for action in ("s3:PutObject", "s3:ListBucket"):
            request = AccessRequest(action, f"{uploads}{user}/chunk", context)
            assert evaluate_policies([{"Statement": statements}], request) is verdict


@pytest.mark.parametrize("name", ["a\nb", "\n", "a\r\u2028b\n"])
def test_a_wildcard_matches_a_line_break(name: str) -> None:
    folder = "arn:aws:s3:::landing/incoming/"
    request = AccessRequest("s3:GetObject", f"{folder}{name}", {"s3:prefix": name})
    for pattern, condition in (("*", "*"), ("?" * len(name), "?" * len(name))):
        statement = allow("s3:GetObject", f"{folder}{pattern}", condition={"StringLike": {"s3:prefix": condition}})
        assert evaluate_policies([{"Statement": statement}], request) is ALLOW
    without_wildcard = allow("s3:GetObject", f"{folder}{name.removesuffix(chr(10))}")
    expected = IMPLICIT if name.endswith("\n") else ALLOW
    assert evaluate_policies([{"Statement": without_wildcard}], request) is expected


def test_all_policies_of_a_role_count_and_a_deny_in_any_of_them_wins() -> None:
    documents = [{"Statement": allow()}, {"Statement": deny()}]
    assert evaluate_policies(documents, AccessRequest("dynamodb:PutItem", TABLE)) is DENY
    assert evaluate_policies(documents[:1], AccessRequest("dynamodb:PutItem", TABLE)).allowed


@pytest.mark.parametrize(
    ("principal", "is_admitted"),
    [
        ("*", True),
        ({"Service": "events.amazonaws.com"}, True),
        ({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, True),
        ({"Service": "sns.amazonaws.com"}, False),
    ],
    ids=["all", "the service", "a list", "another service"],
)
def test_a_resource_policy_admits_its_principals(principal: object, is_admitted: bool) -> None:
    statement = {**allow(), "Principal": principal}
    request = AccessRequest("dynamodb:PutItem", TABLE)
    document: dict[str, Any] = {"Statement": statement}
    assert policy_admits(document, "events.amazonaws.com", request) is is_admitted
    document = {"Statement": [allow(), statement, {**statement, "Effect": "Deny"}]}
    assert not policy_admits(document, "events.amazonaws.com", request)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "NotResource": "*"},
        {"Effect": "allow", "Action": "dynamodb:*", "Resource": "*"},
        when("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
        when("ForMostValues:StringEquals", KEYS, "a"),
        when("StringEquals", KEYS, "a"),
        when("StringNotEqualsIgnoreCase", KEYS, "a"),
    ],
    ids=["NotAction", "NotResource", "effect", "operator", "quantifier", "several values", "negated"],
)
def test_an_unsupported_element_gets_no_verdict(statement: dict[str, Any]) -> None:
    context: dict[str, str | list[str]] = {"aws:CurrentTime": "x", KEYS: ["a", "b"]}
    with pytest.raises(NotEvaluable):
        evaluate_policies([{"Statement": [statement]}], AccessRequest("dynamodb:PutItem", TABLE, context))
