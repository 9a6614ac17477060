"""Test of every policy with arbitrary properties: a check never raises an error."""

import pytest

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import EVERY_TYPE, Policy, ResourceInStackPolicy, ResourcePolicy
from guardrails.policy_catalogue import POLICIES
from tests.policies.policy_harness import UNKNOWN, SampleResource, build_messages, run_policies

ALL_TYPES = sorted(value for value in vars(t).values() if isinstance(value, str) and value.startswith("aws:"))


def list_checked_types(policy: Policy) -> list[str]:
    """Return the resource types that a policy checks. A type that ends with a slash stands for a module, and is completed."""
    if isinstance(policy, ResourcePolicy | ResourceInStackPolicy):
        types = policy.types - {EVERY_TYPE} or ALL_TYPES
        return sorted(f"{kind}sample:Sample" if kind.endswith("/") else kind for kind in types)
    return ALL_TYPES


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_check_of_missing_or_unknown_properties_raises_no_error(policy: Policy) -> None:
    """An exception in a policy would end the pack and the whole preview."""
    types = list_checked_types(policy)
    other_types = [] if isinstance(policy, ResourcePolicy) else ALL_TYPES
    other_resources = [SampleResource(kind, {}, f"other-{kind}") for kind in other_types]
    without_properties = [SampleResource(kind, {}, f"empty-{kind}") for kind in types]
    with_name = [SampleResource(kind, {"name": "n", "tags": {}}, f"named-{kind}") for kind in types]
    run_policies([policy], build_messages([*other_resources, *without_properties, *with_name]))

    keys = ("name", "policy", "assumeRolePolicy", "role", "bucket", "functionName", "function", "tags", "rules")
    with_unknown_values = [SampleResource(kind, dict.fromkeys(keys, UNKNOWN), kind) for kind in types]
    run_policies([policy], build_messages(with_unknown_values))
