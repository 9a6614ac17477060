"""What a policy mends, it finds: so nobody has to ask what to mend where nothing was found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.record import ResourcePolicy
from tests.policies.harness import TAGS, UNKNOWN, Thing, analyzer, of_things, policies, surroundings

WHERE = surroundings()
MENDING = [one for one in policies(WHERE).values() if isinstance(one, ResourcePolicy) and one.remediate]

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


def test_these_are_the_policies_that_mend() -> None:
    assert {one.name for one in MENDING} == {"alarm-decides-missing-data", "logs-expire", "required-tags"}


@pytest.mark.parametrize("policy", MENDING, ids=lambda one: one.name)
@given(data=st.data(), given_properties=properties)
def test_what_is_mended_or_left_undecided_was_found(
    policy: ResourcePolicy, data: st.DataObject, given_properties: dict[str, Any]
) -> None:
    kind = data.draw(st.sampled_from(sorted(policy.types)))
    asked = analyzer([policy], WHERE)
    request = of_things([Thing(kind, given_properties)]).inputs["thing"]
    if asked.Remediate(request, None).remediations:
        assert asked.Analyze(request, None).diagnostics
