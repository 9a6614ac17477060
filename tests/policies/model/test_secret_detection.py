"""Tests of the detection of secrets: no message shows a secret, and ids that AWS generates are no secrets."""

import string
from random import Random

import pytest

from guardrails.model.secret_detection import find_secret, is_secret_name
from tests.policies.policy_harness import build_messages, run_policies
from tests.policies.specs.secrets_in_properties import ACCESS_KEY, CASES, HEX, LETTERS, PASSWORD


def test_no_message_contains_a_secret() -> None:
    for case in CASES:
        for answer in run_policies([case.policy], build_messages(case.samples)):
            # All secrets of the cases contain one of these texts. Some contain only the first 16 characters of LETTERS.
            for secret in (ACCESS_KEY, HEX, LETTERS[:16], PASSWORD):
                assert secret not in answer.message, case


@pytest.mark.parametrize(
    "name",
    ["SUMMARY_NAMESPACE", "tokens", "kmsMasterKeyId", "partitionKey", "secretName", "idTokenTtl", "", "1", "bypass"],
)
def test_a_name_that_only_describes_or_resembles_a_secret_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("alphabet", [string.ascii_letters + string.digits, "0123456789abcdef"])
def test_an_id_of_any_form_is_no_secret(alphabet: str) -> None:
    random = Random(len(alphabet))  # noqa: S311 - samples for a test, not secrets
    ids = ["".join(random.choices(alphabet, k=length)) for length in (10, 12, 24, 32, 40) for _ in range(100)]
    names = [f"arn:aws:execute-api:us-east-1:123456789012:{generated}/api" for generated in ids]
    assert [text for text in [*ids, *names] if find_secret("value", text)] == []
