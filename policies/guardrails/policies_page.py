"""Generator of `docs/reference/policies.md`, which describes every policy of the pack. `make docs` writes the file."""

from collections.abc import Iterator

from guardrails.pack.policy_kinds import (
    EVERY_TYPE,
    EnforcementLevel,
    Policy,
    PolicyGroup,
    ResourceInStackPolicy,
    ResourcePolicy,
)
from guardrails.policy_catalogue import POLICIES

INTRODUCTION = """\
# Policies

This page is generated from `policies/guardrails/` by `make docs`, and a test checks that it is current. Change the
policy's definition there, not this page.

The policy pack checks every preview and every deployment: run `pulumi preview --policy-pack policies`, or
`make preview` without an AWS account. A *mandatory* finding stops the deployment. An *advisory* finding is only
reported. The environment `local` has the levels of `dev`. A dash (—) means that the policy is disabled.

**Exceptions** are entries of the setting `polyphony:exceptions` in a stack file. An entry names a policy, a resource,
a reason and an expiry date at most 90 days from now. The resource is a Pulumi name, or `platform` for the stack as a
whole. Every run reports the exceptions in force. An exception that has expired, that ends too late, or that names an
unknown policy or resource, is itself a violation. No exception can excuse a violation of a policy about public data,
foreign accounts or privilege escalation. This page marks each of these policies. Violations of the policies of the
group "Exceptions" cannot be excused either.

**Related resources** are those that a resource names, and those that name it, for example a bucket's policy or the
alarms of a function. Some policies check a resource together with its related resources.

A **block** is a component of `components/blocks/` that creates a resource with the settings that the policies require.
Many remedies name the block to use.

**Unknown values**: AWS assigns some properties only during a deployment, for example the id of an API. The program
computes names and ARNs in advance, so few documents contain such a value. In a first preview, a policy that needs the
value is undecided: it has neither passed nor failed. The policy `checks-at-deployment` reports all undecided checks in
one entry, which lists the resources, and for each of them the policies that will check it. The JSON of `make preview`
lists each check (level `unknown`), and SARIF has it as a note.

The deployment runs every undecided check when its value is known. A policy about one resource runs before the engine
creates that resource, so a mandatory finding stops the deployment there, and the resources that are already created
remain. A policy about related resources, or about the whole stack, runs after all resources are created, and a
mandatory finding makes the deployment fail. Later previews know the values from Pulumi's state.
"""
LEVEL_WORDS = {
    EnforcementLevel.ADVISORY: "advisory",
    EnforcementLevel.MANDATORY: "mandatory",
    EnforcementLevel.DISABLED: "—",
}


def render_page() -> str:
    """Return the text of the page."""
    return "\n".join(
        [INTRODUCTION, *_render_summary(), *(line for group in PolicyGroup for line in _render_group(group))]
    )


def _render_summary() -> Iterator[str]:
    yield "| group | policies | mandatory in dev | staging | prod |"
    yield "|---|---:|---:|---:|---:|"
    for group in PolicyGroup:
        members = [policy for policy in POLICIES if policy.group is group]
        counts = [sum(_is_mandatory(policy, env) for policy in members) for env in ("dev", "staging", "prod")]
        yield f"| {group} | {len(members)} | {' | '.join(map(str, counts))} |"
    yield f"| **all** | **{len(POLICIES)}** | | | |"


def _is_mandatory(policy: Policy, environment: str) -> bool:
    return policy.levels.for_environment(environment) is EnforcementLevel.MANDATORY


def _render_group(group: PolicyGroup) -> Iterator[str]:
    yield f"\n## {group.capitalize()}"
    for policy in sorted((policy for policy in POLICIES if policy.group is group), key=lambda policy: policy.name):
        yield f"\n### {policy.name}\n"
        yield policy.description
        yield ""
        levels = (f"{env} {LEVEL_WORDS[policy.levels.for_environment(env)]}" for env in ("dev", "staging", "prod"))
        yield f"- severity {policy.severity}; {', '.join(levels)}"
        yield f"- checks {_describe_scope(policy)}"
        if not policy.excusable:
            yield "- no exception can excuse a violation"
        if policy.remedy:
            yield f"- to do: {policy.remedy}"
        if policy.frameworks:
            yield f"- {', '.join(policy.frameworks)}"


def _describe_scope(policy: Policy) -> str:
    if isinstance(policy, ResourcePolicy) and EVERY_TYPE in policy.types:
        return "resources of every type"
    if isinstance(policy, ResourcePolicy | ResourceInStackPolicy):
        types = ", ".join(f"`{resource_type}`" for resource_type in sorted(policy.types))
        return types if isinstance(policy, ResourcePolicy) else f"{types}, together with related resources"
    return "the stack as a whole"
