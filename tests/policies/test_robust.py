"""No policy falls over what a resource may lack: the pack would take the whole preview with it."""

import pytest

from guardrails import types as t
from guardrails.record import Policy, RelationPolicy, ResourcePolicy
from tests.policies.harness import UNKNOWN, Thing, ask, of_things, policies, surroundings

POLICIES = list(policies(surroundings()).values())
KINDS = sorted(value for value in vars(t).values() if isinstance(value, str) and value.startswith("aws:"))


def kinds(policy: Policy) -> list[str]:
    """The types that a policy is given in earnest."""
    if isinstance(policy, ResourcePolicy | RelationPolicy):
        return sorted(kind.replace("/", "/thing:Thing") if kind.endswith("/") else kind for kind in policy.types)
    return KINDS


each = pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.name)


@each
def test_a_resource_with_nothing_given_is_judged(policy: Policy) -> None:
    around = [] if isinstance(policy, ResourcePolicy) else [Thing(kind, {}, f"around-{kind}") for kind in KINDS]
    bare = [Thing(kind, {}, f"bare-{kind}") for kind in kinds(policy)]
    named = [Thing(kind, {"name": "n", "tags": {}}, f"named-{kind}") for kind in kinds(policy)]
    ask([policy], of_things([*around, *bare, *named]), surroundings())


@each
def test_a_resource_of_which_nothing_is_known_is_undecided_at_most(policy: Policy) -> None:
    keys = ("name", "policy", "assumeRolePolicy", "role", "bucket", "functionName", "function", "tags", "rules")
    things = [Thing(kind, dict.fromkeys(keys, UNKNOWN), f"thing-{kind}") for kind in kinds(policy)]
    ask([policy], of_things(things), surroundings())
