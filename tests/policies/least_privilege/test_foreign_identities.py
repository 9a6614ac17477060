"""Tests of the accounts, organisations, networks and buckets that resources may name: only those of the stack."""

from dataclasses import replace

import pytest

from guardrails.model import resource_types as t
from guardrails.pack.stack_configuration import StackContext
from tests.policies.policy_harness import SampleResource, build_context, build_messages, run_policies
from tests.policies.specs.foreign_identities import CANONICAL_USER, FOREIGN_ID
from tests.policies.specs.sample_iam_documents import ACCOUNT, allow, document

BUCKET_ARN = "arn:aws:s3:::copies-of-data"
FOREIGN_IDENTITIES = {
    FOREIGN_ID: {"AWS": f"arn:aws:iam::{FOREIGN_ID}:role/reader"},
    "o-a1b2c3d4e5": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"},
    CANONICAL_USER: {"CanonicalUser": CANONICAL_USER},
    "vpce-svc-0e3f5a7b9c1d2e4f6": "com.amazonaws.vpce.us-east-1.vpce-svc-0e3f5a7b9c1d2e4f6",
    "vpce-0e3f5a7b": {"aws:SourceVpce": "vpce-0e3f5a7b"},
    BUCKET_ARN: {"AWS": f"{BUCKET_ARN}/x"},
}
"""Text that contains the id, as principal of a policy, by id of a foreign identity."""


def find_messages(context: StackContext, *samples: SampleResource) -> list[str]:
    """Return the findings about foreign accounts and buckets."""
    policies = ["account-known", "bucket-known"]
    return [answer.message for answer in run_policies(policies, build_messages(samples), context)]


@pytest.mark.parametrize("identity", FOREIGN_IDENTITIES)
def test_no_resource_may_name_a_foreign_identity(identity: str) -> None:
    policy = document(allow("x:Get", "*", Principal=FOREIGN_IDENTITIES[identity]))
    assert find_messages(build_context(), SampleResource(t.QUEUE_POLICY, {"policy": policy})) != []


def test_without_allowed_accounts_only_the_account_that_the_program_publishes_is_known() -> None:
    context = replace(build_context(), accounts=frozenset())
    sample = SampleResource(t.EVENT_TARGET, {"arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"})
    assert len(find_messages(context, sample)) == 1
    platform = SampleResource(t.PLATFORM, {"account": ACCOUNT}, "platform")
    assert find_messages(context, platform, sample) == []
