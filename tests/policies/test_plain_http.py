"""A policy refuses plain HTTP if nobody, with no request of any kind, comes by it."""

from collections.abc import Mapping
from typing import Any

import pytest

from guardrails.data_protection.objects import refuses_plain_http
from guardrails.record import Judged
from guardrails.types import BUCKET_POLICY
from tests.policies.specs.documents import ACCOUNT, REGION, document

pytestmark = pytest.mark.unit

BUCKET = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
PLAIN = {"Bool": {"aws:SecureTransport": "false"}}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": BUCKET, "Condition": PLAIN}


def refused(**change: Any) -> bool:
    statement: Mapping[str, Any] = {**DENY, **change}
    return refuses_plain_http(Judged("urn", BUCKET_POLICY, "policy", {"policy": document(statement)}))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Action": "*"},
        {"Principal": {"AWS": "*"}},
        {"Resource": "*"},
        {"Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "Action": "sqs:*"},
        {"Resource": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "Action": "sns:Publish"},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
        {"Condition": {"Bool": {"AWS:securetransport": ["false"]}}},
    ],
)
def test_every_way_to_write_it_counts(change: Mapping[str, Any]) -> None:
    assert refused(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Action": "s3:PutObject"},
        {"Resource": "arn:aws:s3:::b"},
        {"Resource": "arn:aws:s3:::b/*"},
        {"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/some/*"]},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {**PLAIN, "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}},
        {"Condition": {"BoolIfExists": {"aws:SecureTransport": "true"}}},
        {"Condition": {}},
    ],
)
def test_whoever_or_whatever_it_leaves_out_still_comes_by_it(change: Mapping[str, Any]) -> None:
    assert not refused(**change)
