"""`docs/policies.md`: every policy as its record says it. Pure text; whoever makes the documents writes it."""

from collections.abc import Iterator

from guardrails.catalogue import POLICIES
from guardrails.pack.policy_kinds import EnforcementLevel, Policy, PolicyGroup, RelationPolicy, ResourcePolicy

INTRODUCTION = """\
# Policies

Generated from `policies/guardrails/` by `make docs`; a test keeps it fresh. Change the record, not this page.

The pack judges every preview and deployment: `pulumi preview --policy-pack policies`, or `make preview` without an
account. A *mandatory* finding stops the deployment, an *advisory* one is a note, and a policy that *remediates* mends
the resource by itself and shows it before and after. Local is judged as dev.

**Exceptions** are settings of a stack: `polyphony:exceptions` lists policy, resource (the Pulumi name; `platform` for
the stack as a whole), reason and the last day. Each is reported in every run; one that has expired, or names nothing
that exists, is a violation itself. From the policies about exceptions there are none.

**Limits** are the pack's configuration: `pulumi preview --policy-pack policies --policy-pack-config limits.json`, with
the policy's name, then the limit's, as in `{"function-memory-ceiling": {"megabytes": 3008}}`. `make preview` and the
workflows judge by the defaults, so a resource that needs more needs an exception.

A policy that needs a value which only a deployment can tell says that it cannot be known; it is judged again after
`up`. Names and ARNs here are computed from names, so that this is rare.
"""
SHORT = {
    EnforcementLevel.ADVISORY: "advisory",
    EnforcementLevel.MANDATORY: "mandatory",
    EnforcementLevel.REMEDIATE: "remediates",
    EnforcementLevel.DISABLED: "—",
}


def render_page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_summary(), *(line for group in PolicyGroup for line in _chapter(group))])


def _summary() -> Iterator[str]:
    yield "| group | policies | mandatory in dev | staging | prod |"
    yield "|---|---:|---:|---:|---:|"
    for group in PolicyGroup:
        members = [policy for policy in POLICIES if policy.group is group]
        counts = [sum(_blocks(policy, env) for policy in members) for env in ("dev", "staging", "prod")]
        yield f"| {group} | {len(members)} | {' | '.join(map(str, counts))} |"
    yield f"| **all** | **{len(POLICIES)}** | | | |"


def _blocks(policy: Policy, environment: str) -> bool:
    return policy.levels.for_environment(environment) in {EnforcementLevel.MANDATORY, EnforcementLevel.REMEDIATE}


def _chapter(group: PolicyGroup) -> Iterator[str]:
    yield f"\n## {group.capitalize()}"
    for resource in sorted((policy for policy in POLICIES if policy.group is group), key=lambda policy: policy.name):
        yield f"\n### {resource.name}\n"
        yield resource.description
        yield ""
        levels = (f"{env} {SHORT[resource.levels.for_environment(env)]}" for env in ("dev", "staging", "prod"))
        yield f"- severity {resource.severity}; {', '.join(levels)}"
        yield f"- judges {_judges(resource)}"
        if resource.remedy:
            yield f"- to do: {resource.remedy}"
        for limit in resource.limits:
            yield f"- limit `{limit.name}` = {limit.default:g}: {limit.description}"
        if resource.frameworks:
            yield f"- {', '.join(resource.frameworks)}"


def _judges(policy: Policy) -> str:
    if isinstance(policy, ResourcePolicy | RelationPolicy):
        kinds = ", ".join(f"`{kind}`" for kind in sorted(policy.types))
        return kinds if isinstance(policy, ResourcePolicy) else f"{kinds}, by what stands around it"
    return "the stack as a whole"
