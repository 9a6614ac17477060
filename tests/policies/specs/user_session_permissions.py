"""Spec (the required behaviour) and further cases of the guardrail policy about roles of clients. A client's session
has the tag `user`, and the role may only reach data whose key contains this tag.
"""

from typing import Any

from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
)
from tests.policies.specs.role_permissions import role, role_policy
from tests.policies.specs.sample_iam_documents import ROLE_ARN, TABLE_ARN, Statement, allow, document, trust

OWN_DATA_ONLY = "clients-own-data-only"
USER_TAG = "${aws:PrincipalTag/user}"
"""IAM policy variable with the value of the session's tag."""
BUCKET_ARN = "arn:aws:s3:::polyphony-prod-meetings-recordings"
CLIENT_TRUST = trust({"AWS": ROLE_ARN}, action=["sts:AssumeRole", "sts:TagSession"])
OWN_KEYS = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": USER_TAG}, "Null": {"dynamodb:LeadingKeys": "false"}}


def role_of_clients(*statements: Statement, **props: Any) -> list[SampleResource]:
    """Return the role of clients, and its policy with statements."""
    return [role(**{"assumeRolePolicy": CLIENT_TRUST, **props}), role_policy(document(*statements))]


def foreign_data_case(*allowed: Any, **elements: Any) -> PolicyCase:
    """Return a case in which clients reach data of other users. The parameters are those of `allow`."""
    clients = role_of_clients(allow(*allowed, **elements))
    return expect_finding(OWN_DATA_ONLY, "data of other users", *clients, faulty_name="sample")


def own_data_case(*allowed: Any, **elements: Any) -> PolicyCase:
    """Return a case in which clients reach only their own data. The parameters are those of `allow`."""
    return expect_no_finding(OWN_DATA_ONLY, *role_of_clients(allow(*allowed, **elements)))


CASES = (
    # Data of other users.
    foreign_data_case("s3:GetObject", f"{BUCKET_ARN}/transcripts/*"),
    foreign_data_case("s3:GetObject", f"{BUCKET_ARN}/*/{USER_TAG}/*"),
    foreign_data_case("s3:GetObject", f"{BUCKET_ARN}/???/{USER_TAG}/*"),
    foreign_data_case("s3:GetObject", [f"{BUCKET_ARN}/audio/{USER_TAG}/*", f"{BUCKET_ARN}/audio/*"]),
    foreign_data_case("s3:GetObject", f"{BUCKET_ARN}/audio/${{aws:userid}}/*"),
    foreign_data_case("s3:ListBucket", BUCKET_ARN),
    foreign_data_case("s3:ListBucket", BUCKET_ARN, {"StringLike": {"s3:prefix": "raw/*"}}),
    foreign_data_case("s3:ListBucket", BUCKET_ARN, {"StringLike": {"s3:prefix": [f"raw/{USER_TAG}/*", ""]}}),
    foreign_data_case("s3:ListBucket", BUCKET_ARN, {"StringLikeIfExists": {"s3:prefix": f"raw/{USER_TAG}/*"}}),
    foreign_data_case(
        ["s3:GetObject", "s3:ListBucket"], BUCKET_ARN, {"StringLike": {"s3:prefix": f"raw/{USER_TAG}/*"}}
    ),
    foreign_data_case("dynamodb:GetItem", TABLE_ARN),
    foreign_data_case(
        "dynamodb:Query", TABLE_ARN, {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["x", USER_TAG]}}
    ),
    foreign_data_case(
        "dynamodb:Scan", TABLE_ARN, {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"*{USER_TAG}"}}
    ),
    # A session without the tag gets the variable's default value.
    foreign_data_case("s3:GetObject", f"{BUCKET_ARN}/audio/${{aws:PrincipalTag/user, '*'}}/*"),
    foreign_data_case("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:polyphony-prod-q"),
    foreign_data_case("*", f"{BUCKET_ARN}/audio/{USER_TAG}/*"),
    expect_finding(
        OWN_DATA_ONLY,
        "data of other users",
        *role_of_clients(
            {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": f"{BUCKET_ARN}/audio/{USER_TAG}/*"}
        ),
        faulty_name="sample",
    ),
    # Own data.
    own_data_case("s3:GetObject", f"{BUCKET_ARN}/transcripts/{USER_TAG}/*"),
    own_data_case(
        ["s3:GetObject", "s3:PutObject"], [f"{BUCKET_ARN}/audio/{USER_TAG}/*", f"{BUCKET_ARN}/video/{USER_TAG}/*"]
    ),
    own_data_case("s3:ListBucket", BUCKET_ARN, {"StringLike": {"s3:prefix": f"raw/{USER_TAG}/*"}}),
    own_data_case("dynamodb:GetItem", TABLE_ARN, OWN_KEYS),
    own_data_case("s3:*", "*", Effect="Deny"),
    # The trust policy does not allow sts:TagSession, so the role is not a role of clients.
    expect_no_finding(
        OWN_DATA_ONLY,
        *role_of_clients(
            allow("s3:GetObject", f"{BUCKET_ARN}/transcripts/*"), assumeRolePolicy=trust({"AWS": ROLE_ARN})
        ),
    ),
)
SPECS = (
    PolicySpec(
        OWN_DATA_ONLY,
        good=role_of_clients(allow("s3:GetObject", f"{BUCKET_ARN}/transcripts/{USER_TAG}/*")),
        bad=role_of_clients(allow("s3:GetObject", f"{BUCKET_ARN}/transcripts/*")),
        message_part=f"s3:GetObject on {BUCKET_ARN}/transcripts/*",
        unknown=[
            *role_of_clients(allow("s3:GetObject", f"{BUCKET_ARN}/transcripts/*")),
            role_policy(UNKNOWN, "unknown"),
        ],
        break_program=edit_json_property(
            "meetings-client-grants",
            "policy",
            lambda policy: policy["Statement"].append(allow("s3:GetObject", f"{BUCKET_ARN}/transcripts/*")),
            "meetings-client-role",
        ),
        undecided=False,
    ),
)
