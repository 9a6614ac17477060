"""Test of the stack's own accounts, which resources may name."""

from dataclasses import replace

from guardrails.model import resource_types as t
from tests.policies.policy_harness import SampleResource, build_context, build_messages, run_policies
from tests.policies.specs.sample_iam_documents import ACCOUNT


def test_without_allowed_accounts_only_the_account_that_the_program_publishes_is_known() -> None:
    context = replace(build_context(), accounts=frozenset())
    sample = SampleResource(t.EVENT_TARGET, {"arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"})
    assert len(run_policies(["account-known"], build_messages([sample]), context)) == 1
    platform = SampleResource(t.PLATFORM, {"account": ACCOUNT}, "platform")
    assert run_policies(["account-known"], build_messages([platform, sample]), context) == []
