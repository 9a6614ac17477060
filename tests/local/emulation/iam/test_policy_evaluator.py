"""Tests that the local platform evaluates policies as IAM documents it.

Most cases are statements, a request and the verdict."""

from typing import Any

import pytest

from local.emulation.iam.policy_evaluator import (
    AccessRequest,
    AccessVerdict,
    NotEvaluable,
    evaluate_policies,
    policy_admits,
)

pytestmark = pytest.mark.unit

ALLOW, DENY, IMPLICIT = AccessVerdict.ALLOW, AccessVerdict.DENY, AccessVerdict.IMPLICIT_DENY
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions"
SUB = "cognito-identity.amazonaws.com:sub"
KEYS = "dynamodb:LeadingKeys"
TABLE_PREFIX = TABLE.removesuffix("sessions")


def allow(
    action: Any = "dynamodb:PutItem", resource: Any = TABLE, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def deny(condition: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**allow(condition=condition), "Effect": "Deny"}


def allow_if(operator: str, key: str, value: Any) -> dict[str, Any]:
    return allow(condition={operator: {key: value}})


OWN_KEYS = allow(
    condition={
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "${cognito-identity.amazonaws.com:sub}#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
)
"""Statement that lets guests use only the items of their own partition keys."""
NO_RESERVED_TAGS = allow_if("ForAllValues:StringNotEqualsIgnoreCase", "aws:TagKeys", ["Project", "Environment"])
LIKE_SUB = allow_if("ForAllValues:StringLike", KEYS, f"${{{SUB}}}#*")
LIKE_A = allow_if("ForAllValues:StringLike", KEYS, "a#*")
ANY_A = allow_if("ForAnyValue:StringEquals", KEYS, "a")
TABLE_OF_SUB = allow(resource=f"{TABLE_PREFIX}${{{SUB}}}")
DENY_PLAIN_HTTP = deny({"Bool": {"aws:SecureTransport": "false"}})

CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], AccessVerdict]] = [
    ("same action and resource", [allow()], {}, ALLOW),
    ("other action", [allow("dynamodb:GetItem")], {}, IMPLICIT),
    ("action in a list", [allow(["dynamodb:GetItem", "dynamodb:PutItem"], ["arn:other", TABLE])], {}, ALLOW),
    ("asterisk in an action", [allow("dynamodb:Put*")], {}, ALLOW),
    ("question mark in an action", [allow("dynamodb:PutIte?")], {}, ALLOW),
    ("other resource", [allow(resource=f"{TABLE}2")], {}, IMPLICIT),
    ("resource in another case", [allow(resource=TABLE.replace("sessions", "Sessions"))], {}, IMPLICIT),
    ("asterisk in a resource", [allow(resource="arn:aws:dynamodb:*:*:table/*")], {}, ALLOW),
    ("literal asterisk in a resource", [allow(resource=f"{TABLE_PREFIX}${{*}}")], {}, IMPLICIT),
    ("deny before allow", [deny(), allow()], {}, DENY),
    ("deny after allow", [allow(), deny()], {}, DENY),
    ("deny with a false condition", [allow(), DENY_PLAIN_HTTP], {"aws:SecureTransport": "true"}, ALLOW),
    ("deny with a true condition", [allow(), DENY_PLAIN_HTTP], {"aws:SecureTransport": "false"}, DENY),
    ("StringEquals", [allow_if("StringEquals", "aws:SourceAccount", "1")], {"aws:SourceAccount": "1"}, ALLOW),
    ("StringEquals with a list of values", [allow_if("StringEquals", "aws:SourceAccount", ["1", "2"])], {"aws:SourceAccount": "2"}, ALLOW),
    ("StringEquals without the key", [allow_if("StringEquals", "aws:SourceAccount", "1")], {}, IMPLICIT),
    ("StringEquals has no wildcards", [allow_if("StringEquals", "s3:prefix", "a*")], {"s3:prefix": "ab"}, IMPLICIT),
    ("StringLike has wildcards", [allow_if("StringLike", "s3:prefix", "a*")], {"s3:prefix": "ab"}, ALLOW),
    ("IfExists without the key", [allow_if("StringEqualsIfExists", "s3:prefix", "a")], {}, ALLOW),
    ("IfExists with another value", [allow_if("StringEqualsIfExists", "s3:prefix", "a")], {"s3:prefix": "b"}, IMPLICIT),
    ("one of two operators is false", [allow(condition={"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}})],
     {"s3:prefix": "a", "aws:SecureTransport": "false"}, IMPLICIT),
    ("one of two keys is missing", [allow(condition={"StringEquals": {"s3:prefix": "a", "aws:SourceAccount": "1"}})], {"s3:prefix": "a"}, IMPLICIT),
    ("ArnLike with an asterisk", [allow_if("ArnLike", "aws:SourceArn", "arn:aws:events:*:1:rule/*")],
     {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/a:b"}, ALLOW),
    ("an asterisk matches one part of an ARN", [allow_if("ArnLike", "aws:SourceArn", "arn:aws:*:rule/x")],
     {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/x"}, IMPLICIT),
    ("Null true without the key", [allow_if("Null", KEYS, "true")], {}, ALLOW),
    ("Null true with the key", [allow_if("Null", KEYS, "true")], {KEYS: ["a"]}, IMPLICIT),
    ("Null false without the key", [allow_if("Null", KEYS, "false")], {}, IMPLICIT),
    ("Null false with the key", [allow_if("Null", KEYS, "false")], {KEYS: ["a"]}, ALLOW),
    ("Null: its value in another case", [allow_if("Null", KEYS, "False")], {KEYS: ["a"]}, ALLOW),
    ("ForAllValues: all values match", [LIKE_A], {KEYS: ["a#1", "a#2"]}, ALLOW),
    ("ForAllValues: one value does not match", [LIKE_A], {KEYS: ["a#1", "b#1"]}, IMPLICIT),
    ("ForAllValues: true without values", [LIKE_A], {}, ALLOW),
    ("ForAllValues, negated: no value is equal", [NO_RESERVED_TAGS], {"aws:TagKeys": ["Owner", "Name"]}, ALLOW),
    ("ForAllValues, negated: a value is equal in another case", [NO_RESERVED_TAGS], {"aws:TagKeys": ["Owner", "project"]}, IMPLICIT),
    ("ForAnyValue: one value matches", [ANY_A], {KEYS: ["b", "a"]}, ALLOW),
    ("ForAnyValue: false without values", [ANY_A], {}, IMPLICIT),
    ("variable in a condition", [LIKE_SUB], {KEYS: ["me#1"], SUB: "me"}, ALLOW),
    ("variable without a value in a condition", [LIKE_SUB], {KEYS: ["#1"]}, IMPLICIT),
    ("a variable's value in a condition is no wildcard", [LIKE_SUB], {KEYS: ["you#1"], SUB: "*"}, IMPLICIT),
    ("variable in a resource", [TABLE_OF_SUB], {SUB: "sessions"}, ALLOW),
    ("variable name in another case", [allow(resource=f"{TABLE_PREFIX}${{{SUB.upper()}}}")], {SUB: "sessions"}, ALLOW),
    ("variable without a value in a resource", [TABLE_OF_SUB], {}, IMPLICIT),
    ("a variable's value in a resource is no wildcard", [TABLE_OF_SUB], {SUB: "*"}, IMPLICIT),
    ("guest with an own key", [OWN_KEYS], {KEYS: ["me#1"], SUB: "me"}, ALLOW),
    ("guest with an own key and another guest's", [OWN_KEYS], {KEYS: ["me#1", "you#1"], SUB: "me"}, IMPLICIT),
    ("guest with an empty list of keys", [OWN_KEYS], {KEYS: [], SUB: "me"}, IMPLICIT),
]  # fmt: skip
"""Id of the test, statements of the policy, condition keys of a `PutItem` request on `TABLE`, and verdict."""


@pytest.mark.parametrize(
    ("statements", "context", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_request_gets_the_verdict_that_iam_documents(
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
def test_a_line_break_is_matched_by_a_wildcard_and_never_ignored(name: str) -> None:
    folder = "arn:aws:s3:::landing/incoming/"
    request = AccessRequest("s3:GetObject", f"{folder}{name}", {"s3:prefix": name})
    for pattern, condition in (("*", "*"), ("?" * len(name), "?" * len(name))):
        statement = allow("s3:GetObject", f"{folder}{pattern}", condition={"StringLike": {"s3:prefix": condition}})
        assert evaluate_policies([{"Statement": statement}], request) is ALLOW
    # A pattern without a wildcard must match the whole name, also a line break at its end.
    without_wildcard = allow("s3:GetObject", f"{folder}{name.removesuffix(chr(10))}")
    expected = IMPLICIT if name.endswith("\n") else ALLOW
    assert evaluate_policies([{"Statement": without_wildcard}], request) is expected


def test_a_deny_in_one_policy_of_a_role_overrides_an_allow_in_another() -> None:
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
def test_a_resource_policy_admits_its_principals_unless_it_denies_the_request(
    principal: object, is_admitted: bool
) -> None:
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
        allow_if("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
        allow_if("ForMostValues:StringEquals", KEYS, "a"),
        allow_if("StringEquals", KEYS, "a"),
        allow_if("StringNotEqualsIgnoreCase", KEYS, "a"),
    ],
    ids=["NotAction", "NotResource", "effect", "operator", "quantifier", "several values", "negated"],
)
def test_an_unsupported_policy_element_raises_an_error_instead_of_a_verdict(statement: dict[str, Any]) -> None:
    context: dict[str, str | list[str]] = {"aws:CurrentTime": "x", KEYS: ["a", "b"]}
    with pytest.raises(NotEvaluable):
        evaluate_policies([{"Statement": [statement]}], AccessRequest("dynamodb:PutItem", TABLE, context))
