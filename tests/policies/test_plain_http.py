"""A policy refuses plain HTTP if nobody, with no request of any kind, comes by it."""

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from guardrails.data_protection.objects import refuses_plain_http
from guardrails.record import Judged
from guardrails.types import BUCKET as BUCKET_TYPE
from guardrails.types import BUCKET_POLICY, QUEUE, QUEUE_POLICY
from tests.policies.harness import Thing, analyzer, ask, of_things, policies, surroundings
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


QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
LETS_IN = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}}


@pytest.mark.parametrize(
    ("policy", "holder", "beside"),
    [
        (
            "bucket-tls-only",
            Thing(BUCKET_TYPE, {"bucket": "b", "policy": document(DENY)}, "holder"),
            Thing(BUCKET_POLICY, {"bucket": "b", "policy": document({**LETS_IN, "Action": "s3:GetObject"})}, "beside"),
        ),
        (
            "queue-tls-only",
            Thing(
                QUEUE, {"name": "q", "policy": document({**DENY, "Action": "sqs:*", "Resource": QUEUE_ARN})}, "holder"
            ),
            Thing(QUEUE_POLICY, {"queueUrl": "u", "policy": document({**LETS_IN, "Resource": QUEUE_ARN})}, "beside"),
        ),
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_a_denial_that_a_provider_read_back_is_none(policy: str, holder: Thing, beside: Thing, gone: bool) -> None:
    """It stood beside the resource before this deployment, which takes it away."""
    where = surroundings("prod")
    stack = of_things([holder] if gone else [holder, beside])
    assert [one for one in ask([policies(where)[policy]], stack, where) if one.name == "holder"] == []
    del stack.inputs["holder"].properties.fields["policy"]
    assert [one.name for one in ask([policies(where)[policy]], stack, where)] == ["holder"]


def test_the_pack_notes_by_itself_what_is_given() -> None:
    """An engine asks about each resource before it asks about all."""
    where = surroundings("prod")
    stack = of_things([Thing(BUCKET_TYPE, {"bucket": "b", "policy": document(DENY)}, "holder")])
    del stack.inputs["holder"].properties.fields["policy"]
    asked = analyzer([policies(where)[one] for one in ("required-tags", "bucket-tls-only")], where)
    asked.Analyze(stack.inputs["holder"], None)
    whole = asked.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None)
    assert [one.policyName for one in whole.diagnostics] == ["bucket-tls-only"]
