"""Tests of every policy with arbitrary properties: a check never raises, and a remediation always has a finding."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import EVERY_TYPE, Policy, RelationPolicy, ResourcePolicy
from guardrails.policy_catalogue import POLICIES
from tests.policies.policy_harness import (
    TAGS,
    UNKNOWN,
    SampleResource,
    build_analyzer,
    build_context,
    build_messages,
    run_policies,
)

CONTEXT = build_context()
KINDS = sorted(value for value in vars(t).values() if isinstance(value, str) and value.startswith("aws:"))
REMEDIATING_POLICIES = [policy for policy in POLICIES if isinstance(policy, ResourcePolicy) and policy.remediate]

tag_values = st.sampled_from(["", "given", UNKNOWN])
properties = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["", "a-name", UNKNOWN]),
        "retentionInDays": st.sampled_from([0, 1, 400, 4000, UNKNOWN]),
        "treatMissingData": st.sampled_from(["", "breaching", "missing", UNKNOWN]),
        "tags": st.just(UNKNOWN) | st.dictionaries(st.sampled_from([*TAGS, "Subsystem", "Name", "Other"]), tag_values),
    },
)


def list_checked_types(policy: Policy) -> list[str]:
    """Return the resource types that a policy checks."""
    if isinstance(policy, ResourcePolicy | RelationPolicy):
        named = policy.types - {EVERY_TYPE} or KINDS
        return sorted(kind.replace("/", "/thing:Thing") if kind.endswith("/") else kind for kind in named)
    return KINDS


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_resource_with_no_properties_or_only_unknown_ones_is_checked(policy: Policy) -> None:
    """An exception in a policy would end the pack and the whole preview."""
    around = (
        [] if isinstance(policy, ResourcePolicy) else [SampleResource(kind, {}, f"around-{kind}") for kind in KINDS]
    )
    bare = [SampleResource(kind, {}, f"bare-{kind}") for kind in list_checked_types(policy)]
    named = [SampleResource(kind, {"name": "n", "tags": {}}, f"named-{kind}") for kind in list_checked_types(policy)]
    run_policies([policy], build_messages([*around, *bare, *named]), CONTEXT)
    keys = ("name", "policy", "assumeRolePolicy", "role", "bucket", "functionName", "function", "tags", "rules")
    late = [SampleResource(kind, dict.fromkeys(keys, UNKNOWN), f"thing-{kind}") for kind in list_checked_types(policy)]
    run_policies([policy], build_messages(late), CONTEXT)


def test_three_policies_remediate_resources() -> None:
    assert {policy.name for policy in REMEDIATING_POLICIES} == {
        "alarm-decides-missing-data",
        "logs-expire",
        "required-tags",
    }


@pytest.mark.parametrize("policy", REMEDIATING_POLICIES, ids=lambda policy: policy.name)
@given(data=st.data(), given_properties=properties)
def test_a_policy_has_a_finding_or_is_undecided_for_all_that_it_changes(
    policy: ResourcePolicy, data: st.DataObject, given_properties: dict[str, Any]
) -> None:
    """The preview asks for remediations only if a policy has findings (`local/preview/policy_pack_process.py`)."""
    kind = data.draw(st.sampled_from(sorted(policy.types)))
    asked = build_analyzer([policy], CONTEXT)
    request = build_messages([SampleResource(kind, given_properties)]).inputs["thing"]
    if asked.Remediate(request, None).remediations:
        response = asked.Analyze(request, None)
        assert response.diagnostics or response.not_applicable
