"""Generator of `docs/reference/policies.md`, which lists every policy of the pack. `make docs` writes the file."""

from collections.abc import Iterator

from guardrails.catalogue import POLICIES
from guardrails.records import Group, Level, Policy

INTRODUCTION = """\
# Policies

This page is generated from `policies/guardrails/` by `make docs`. The policy pack checks every preview and every
deployment: run `pulumi preview --policy-pack policies`, or `make preview` without an AWS account. A *mandatory* finding
stops the deployment, an *advisory* finding is only reported. The environment `local` has the levels of `dev`.

**The surface.** The program may do only what the tables of `policies/guardrails/surface/` list, one fact a line: types
of resources, their properties, the values of these, and permissions. The pack refuses everything else. Names, numbers,
descriptions and addresses of the stack file are no facts, so an ordinary change needs no line. A finding names the
type, the property or the permission of the missing line. To propose it, run `make surface`, and let a reviewer read the difference.

**Exceptions** are entries of `polyphony:exceptions` in a stack file: policy, resource, reason, and a date at most 90
days away. The resource is a Pulumi name, or `platform` for the stack as a whole. Every run reports them. An expired or
unknown entry stops the deployment. Policies marked *no exception* cannot be excused.

**Unknown values.** AWS assigns some values only during a deployment. A preview cannot decide a check that needs one;
`checks-at-deployment` lists these checks. The deployment checks each resource before it is created, and related
resources at the end.
"""
WORDS = {Level.ADVISORY: "advisory", Level.MANDATORY: "mandatory", Level.DISABLED: "—"}


def render_page() -> str:
    """Return the text of the page."""
    return "\n".join([INTRODUCTION, *(line for group in Group for line in _render_group(group)), ""])


def _render_group(group: Group) -> Iterator[str]:
    yield f"## {group.capitalize()}\n"
    yield "| policy | severity | dev | staging | prod | requirement, and what to do |"
    yield "|---|---|---|---|---|---|"
    for policy in sorted((policy for policy in POLICIES if policy.group is group), key=lambda policy: policy.name):
        levels = " | ".join(WORDS[policy.levels.for_environment(name)] for name in ("dev", "staging", "prod"))
        yield f"| `{policy.name}` | {policy.severity} | {levels} | {_describe(policy)} |"
    yield ""


def _describe(policy: Policy) -> str:
    text = f"{policy.description} {policy.remedy}".strip().replace("|", "\\|")
    return text if policy.exceptions_allowed or policy.group is Group.EXCEPTIONS else f"{text} *No exception.*"
