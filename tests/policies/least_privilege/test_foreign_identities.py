"""Tests of the accounts and partners that resources may name. A partner is a foreign account, organisation, network or
bucket that the setting `foundation.partners` lists.
"""

from dataclasses import replace

import pytest

from components.settings.foundation import Partner
from guardrails.model import resource_types as t
from guardrails.pack.stack_configuration import StackContext
from tests.policies.policy_harness import SampleResource, build_context, build_messages, run_policies
from tests.policies.specs.foreign_identities import CANONICAL_USER, FOREIGN_ID
from tests.policies.specs.sample_iam_documents import ACCOUNT, allow, document

BUCKET_ARN = "arn:aws:s3:::copies-of-data"
PARTNERS = {
    FOREIGN_ID: {"AWS": f"arn:aws:iam::{FOREIGN_ID}:role/reader"},
    "o-a1b2c3d4e5": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"},
    CANONICAL_USER: {"CanonicalUser": CANONICAL_USER},
    "vpce-svc-0e3f5a7b9c1d2e4f6": "com.amazonaws.vpce.us-east-1.vpce-svc-0e3f5a7b9c1d2e4f6",
    "vpce-0e3f5a7b": {"aws:SourceVpce": "vpce-0e3f5a7b"},
    BUCKET_ARN: {"AWS": f"{BUCKET_ARN}/x"},
}
"""Text that contains the id, as principal of a policy, by id of a partner."""


def find_messages(context: StackContext, *samples: SampleResource) -> list[str]:
    """Return the findings about foreign accounts and buckets."""
    policies = ["account-known", "bucket-known"]
    return [answer.message for answer in run_policies(policies, build_messages(samples), context)]


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_partner_may_be_named_only_if_it_is_listed(partner: str) -> None:
    assert Partner.model_validate({"id": partner, "reason": "receives the daily summaries"}).id == partner
    policy = document(allow("x:Get", "*", Principal=PARTNERS[partner]))
    sample = SampleResource(t.QUEUE_POLICY, {"policy": policy})
    assert find_messages(build_context(), sample) != []
    assert find_messages(replace(build_context(), partners=frozenset({partner})), sample) == []


@pytest.mark.parametrize("partner", ["*", "99999999999?", "arn:aws:s3:::*", "o-*", "partner", "arn:aws:iam::1:role/x"])
def test_a_partner_must_be_one_exact_id(partner: str) -> None:
    with pytest.raises(ValueError, match="should match pattern"):
        Partner.model_validate({"id": partner, "reason": "receives the daily summaries"})


def test_without_allowed_accounts_only_the_account_that_the_program_publishes_is_known() -> None:
    context = replace(build_context(), accounts=frozenset())
    sample = SampleResource(t.EVENT_TARGET, {"arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"})
    assert len(find_messages(context, sample)) == 1
    platform = SampleResource(t.PLATFORM, {"account": ACCOUNT}, "platform")
    assert find_messages(context, platform, sample) == []
