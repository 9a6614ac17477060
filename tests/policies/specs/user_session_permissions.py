"""Specs of the policy about clients, whose session tag names the user: bad and harmless variations."""

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
from tests.policies.specs.role_permissions import grants, role
from tests.policies.specs.sample_iam_documents import ROLE_ARN, TABLE_ARN, Statement, allow, document, trust

OWN = "clients-own-data-only"
TAG = "${aws:PrincipalTag/user}"
BUCKET = "arn:aws:s3:::polyphony-prod-meetings-recordings"
CLIENTS = trust({"AWS": ROLE_ARN}, action=["sts:AssumeRole", "sts:TagSession"])
OWN_KEYS = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": TAG}, "Null": {"dynamodb:LeadingKeys": "false"}}


def clients(*statements: Statement, **props: Any) -> list[SampleResource]:
    """Return the role of clients with statements."""
    return [role(**{"assumeRolePolicy": CLIENTS, **props}), grants(document(*statements))]


def of_others(statement: Statement) -> PolicyCase:
    """Return a case in which clients reach data of other users."""
    return expect_finding(OWN, "data of other users", *clients(statement), faulty_name="sample")


def of_own(statement: Statement) -> PolicyCase:
    """Return a case in which clients reach only their own data."""
    return expect_no_finding(OWN, *clients(statement))


OTHERS = tuple(
    map(
        of_others,
        (
            allow("s3:GetObject", f"{BUCKET}/transcripts/*"),
            allow("s3:GetObject", f"{BUCKET}/*/{TAG}/*"),
            allow("s3:GetObject", f"{BUCKET}/???/{TAG}/*"),
            allow("s3:GetObject", [f"{BUCKET}/audio/{TAG}/*", f"{BUCKET}/audio/*"]),
            allow("s3:GetObject", f"{BUCKET}/audio/${{aws:userid}}/*"),
            allow("s3:ListBucket", BUCKET),
            allow("s3:ListBucket", BUCKET, {"StringLike": {"s3:prefix": "raw/*"}}),
            allow("s3:ListBucket", BUCKET, {"StringLike": {"s3:prefix": [f"raw/{TAG}/*", ""]}}),
            allow("s3:ListBucket", BUCKET, {"StringLikeIfExists": {"s3:prefix": f"raw/{TAG}/*"}}),
            allow(["s3:GetObject", "s3:ListBucket"], BUCKET, {"StringLike": {"s3:prefix": f"raw/{TAG}/*"}}),
            allow("dynamodb:GetItem", TABLE_ARN),
            allow("dynamodb:Query", TABLE_ARN, {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["x", TAG]}}),
            allow("dynamodb:Scan", TABLE_ARN, {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"*{TAG}"}}),
            allow("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:polyphony-prod-q"),
            allow("*", f"{BUCKET}/audio/{TAG}/*"),
            {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": f"{BUCKET}/audio/{TAG}/*"},
        ),
    )
)
OWN_DATA = (
    of_own(allow("s3:GetObject", f"{BUCKET}/transcripts/{TAG}/*")),
    of_own(allow(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/audio/{TAG}/*", f"{BUCKET}/video/{TAG}/*"])),
    of_own(allow("s3:ListBucket", BUCKET, {"StringLike": {"s3:prefix": f"raw/{TAG}/*"}})),
    of_own(allow("dynamodb:GetItem", TABLE_ARN, OWN_KEYS)),
    of_own({**allow("s3:*", "*"), "Effect": "Deny"}),
    # The trust policy does not allow sts:TagSession, so the role is not for clients.
    expect_no_finding(
        OWN, *clients(allow("s3:GetObject", f"{BUCKET}/transcripts/*"), assumeRolePolicy=trust({"AWS": ROLE_ARN}))
    ),
)
SPECS = (
    PolicySpec(
        OWN,
        good=clients(allow("s3:GetObject", f"{BUCKET}/transcripts/{TAG}/*")),
        bad=clients(allow("s3:GetObject", f"{BUCKET}/transcripts/*")),
        message_part=f"s3:GetObject on {BUCKET}/transcripts/*",
        unknown=[*clients(allow("s3:GetObject", f"{BUCKET}/transcripts/*")), grants(UNKNOWN, "late")],
        break_program=edit_json_property(
            "meetings-client-grants",
            "policy",
            lambda found: found["Statement"].append(allow("s3:GetObject", f"{BUCKET}/transcripts/*")),
            "meetings-client-role",
        ),
        undecided=False,
    ),
)
FAMILIES = {"data of other users": OTHERS, "own data": OWN_DATA}
CASES = tuple(case for cases in FAMILIES.values() for case in cases)
