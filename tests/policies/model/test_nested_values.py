"""Tests of the search through all values of a resource, by means of the policy `account-known`, which searches every value
for ids of foreign accounts.
"""

import json

import pytest

from guardrails.model import resource_types as t
from tests.policies.policy_harness import UNKNOWN, SampleResource, build_messages, run_policies

FOREIGN_QUEUE = "arn:aws:sqs:us-east-1:999999999999:copies"


def nest_in_lists(value: object, levels: int) -> str:
    """Return a JSON document with the value inside of many lists."""
    return "[" * levels + json.dumps(value) + "]" * levels


@pytest.mark.parametrize(
    "value",
    [
        FOREIGN_QUEUE,
        {"a": [{"b": FOREIGN_QUEUE}]},
        [UNKNOWN, {"unknown": UNKNOWN, "arn": FOREIGN_QUEUE}],
        {FOREIGN_QUEUE: "a key"},
        json.dumps({"a": [FOREIGN_QUEUE]}),
        json.dumps(json.dumps({"a": json.dumps([FOREIGN_QUEUE])})),
        "https://example.com/?to=arn%3Aaws%3Asqs%3Aus-east-1%3A999999999999%3Acopies",
        "{not JSON, but " + FOREIGN_QUEUE,
        nest_in_lists(FOREIGN_QUEUE, 90),
        nest_in_lists(FOREIGN_QUEUE, 500),
        nest_in_lists(FOREIGN_QUEUE, 5000),
    ],
)
def test_a_foreign_account_is_found_at_every_depth_and_in_every_document(value: object) -> None:
    stack = build_messages([SampleResource(t.EVENT_TARGET, {"input": value, "unknown": UNKNOWN})])
    [answer] = run_policies(["account-known"], stack)
    assert "999999999999" in answer.message
