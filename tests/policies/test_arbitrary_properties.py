"""Tests of every policy with arbitrary properties: a check never raises, and a policy that would change a resource (a
remediation) always has a finding about it.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import EVERY_TYPE, Policy, ResourceInStackPolicy, ResourcePolicy
from guardrails.policy_catalogue import POLICIES
from tests.policies.policy_harness import TAGS, UNKNOWN, SampleResource, build_analyzer, build_messages, run_policies

ALL_TYPES = sorted(value for value in vars(t).values() if isinstance(value, str) and value.startswith("aws:"))
REMEDIATING_POLICIES = [policy for policy in POLICIES if isinstance(policy, ResourcePolicy) and policy.remediate]

tag_values = st.sampled_from(["", "given", UNKNOWN])
arbitrary_properties = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["", "a-name", UNKNOWN]),
        "retentionInDays": st.sampled_from([0, 1, 400, 4000, UNKNOWN]),
        "treatMissingData": st.sampled_from(["", "breaching", "missing", UNKNOWN]),
        "tags": st.just(UNKNOWN) | st.dictionaries(st.sampled_from([*TAGS, "Subsystem", "Name", "Other"]), tag_values),
    },
)


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


def test_three_policies_remediate_resources() -> None:
    assert {policy.name for policy in REMEDIATING_POLICIES} == {
        "alarm-decides-missing-data",
        "logs-expire",
        "required-tags",
    }


@pytest.mark.parametrize("policy", REMEDIATING_POLICIES, ids=lambda policy: policy.name)
@given(data=st.data(), properties=arbitrary_properties)
def test_a_policy_has_a_finding_or_is_undecided_about_each_resource_that_it_changes(
    policy: ResourcePolicy, data: st.DataObject, properties: dict[str, Any]
) -> None:
    """The preview asks for remediations only if a policy has findings (`local/preview/policy_pack_process.py`)."""
    kind = data.draw(st.sampled_from(sorted(policy.types)))
    analyzer = build_analyzer([policy])
    request = build_messages([SampleResource(kind, properties)]).inputs["sample"]
    if analyzer.Remediate(request, None).remediations:
        response = analyzer.Analyze(request, None)
        assert response.diagnostics or response.not_applicable
