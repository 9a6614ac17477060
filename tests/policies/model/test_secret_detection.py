"""Tests of the detection of secrets: no message shows a secret, and random keys of usual lengths are found."""

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
    ("alphabet", "length"),
    [
        (string.ascii_letters + string.digits + "+/", 40),
        (string.ascii_letters + string.digits, 24),
        (string.ascii_letters + string.digits + "-_", 43),
        ("0123456789abcdef", 32),
        ("0123456789ABCDEF", 64),
    ],
)
def test_most_random_keys_are_found(alphabet: str, length: int) -> None:
    random = Random(length)  # noqa: S311 - samples for a test, not secrets
    samples = ["".join(random.choices(alphabet, k=length)) for _ in range(200)]
    found = [sample for sample in samples if find_secret("value", sample)]
    assert len(found) >= 180


@pytest.mark.parametrize(
    "name",
    ["SUMMARY_NAMESPACE", "tokens", "kmsMasterKeyId", "partitionKey", "secretName", "idTokenTtl", "", "1", "bypass"],
)
def test_a_name_that_only_describes_or_resembles_a_secret_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("name_format", "alphabet"),
    [
        ("API-Gateway-Execution-Logs_{}/api", string.ascii_lowercase + string.digits),
        ("API-Gateway-Execution-Logs_{}/api", "0123456789abcdef"),
        ("/aws/apigateway/{}/Prod", string.ascii_lowercase + string.digits),
        ("polyphony_prod_clipAgentMemory-{}", string.ascii_letters + string.digits),
    ],
)
def test_a_resource_name_that_contains_a_generated_id_is_no_secret(name_format: str, alphabet: str) -> None:
    random = Random(len(alphabet))  # noqa: S311 - samples for a test, not secrets
    names = [name_format.format("".join(random.choices(alphabet, k=10))) for _ in range(500)]
    assert [name for name in names if find_secret("name", name)] == []
