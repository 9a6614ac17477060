"""What holds for all policies together: names, levels, words, the resource types and frameworks that they speak of."""

import ast
import re
import sys
from pathlib import Path

import pulumi_aws
import pytest

from components.blocks.iam.trust_policy import SENDING_THEIR_SOURCE, Service
from guardrails import catalogue
from guardrails.catalogue import POLICIES
from guardrails.cost.required_tags import TAGGABLE
from guardrails.least_privilege.trust_condition_keys import SENT_KEYS_BY_SERVICE
from guardrails.model import resource_types
from guardrails.model.subsystem_names import parse_subsystem, settings_section
from guardrails.pack.policy_kinds import EnforcementLevel, Policy, PolicyGroup, RelationPolicy, ResourcePolicy
from guardrails.pricing.rules import FREE_TYPES, PRICE_RULES
from local.generate import documented_graph
from local.preview.resource_graph import Graph
from tests.policies.policy_harness import build_context, of_graph, run_policies
from tests.whole_program import DOCUMENTED

PROVIDER = Path(pulumi_aws.__file__).parent
FRAMEWORK = re.compile(
    r"AWS (FSBP|Security Hub) [A-Za-z0-9]+\.\d+|CIS AWS 3\.0 \d+(\.\d+)+|AWS Well-Architected [A-Z]+\d\d-BP\d\d"
)


def test_every_group_has_policies_and_every_policy_a_name_of_its_own_in_one_form() -> None:
    groups = [policy.group for policy in POLICIES]
    assert all(groups.count(group) >= 15 for group in PolicyGroup if group is not PolicyGroup.EXCEPTIONS)
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
    for policy in POLICIES:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", policy.name), policy.name
        assert all(FRAMEWORK.fullmatch(control) for control in policy.frameworks), policy.name


def test_only_what_merely_tells_never_blocks() -> None:
    telling = {policy.name for policy in POLICIES if not any(blocks(policy, env) for env in ("dev", "staging", "prod"))}
    assert telling == {"cost-estimate", "exceptions-in-force", "glue-flex-before-prod"}


def blocks(policy: Policy, environment: str) -> bool:
    return policy.levels.for_environment(environment) in {EnforcementLevel.MANDATORY, EnforcementLevel.REMEDIATE}


def test_no_policy_is_milder_in_prod_than_before_but_the_one_that_is_about_spare_capacity() -> None:
    hardness = [
        EnforcementLevel.DISABLED,
        EnforcementLevel.ADVISORY,
        EnforcementLevel.REMEDIATE,
        EnforcementLevel.MANDATORY,
    ]
    for policy in POLICIES:
        if policy.name != "glue-flex-before-prod":
            levels = [hardness.index(policy.levels.for_environment(env)) for env in ("dev", "staging", "prod")]
            assert levels == sorted(levels), policy.name


def test_least_privilege_is_judged_in_every_environment() -> None:
    assert all(
        policy.levels.for_environment(env) is EnforcementLevel.MANDATORY
        for policy in POLICIES
        if policy.group is PolicyGroup.LEAST_PRIVILEGE
        for env in ("local", "dev", "staging", "prod")
    )


def spoken_of() -> list[str]:
    named = {value for name, value in vars(resource_types).items() if name.isupper() and isinstance(value, str)}
    judged = {
        kind for policy in POLICIES if isinstance(policy, ResourcePolicy | RelationPolicy) for kind in policy.types
    }
    return sorted(kind for kind in named | judged | TAGGABLE | FREE_TYPES | set(PRICE_RULES) if kind.startswith("aws:"))


def test_every_type_that_is_spoken_of_is_one_of_the_provider() -> None:
    wrong = []
    for kind in spoken_of():
        if kind.endswith("/"):
            assert (PROVIDER / kind.split(":")[1].rstrip("/") / "__init__.py").exists(), kind
            continue
        file = file_of(kind)
        if not file.exists() or f"'{kind}'" not in file.read_text(encoding="utf-8"):
            wrong.append(kind)
    assert wrong == []


def file_of(kind: str) -> Path:
    """Where the provider has a type, by its own convention of folders and files."""
    module, _, resource = kind.split(":")[1].partition("/")
    file = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", resource).lower()
    return PROVIDER / {"lambda": "lambda_"}.get(module, module) / f"{file}.py"


def test_what_must_carry_tags_can_carry_tags() -> None:
    assert [kind for kind in sorted(TAGGABLE) if "def tags(self, value:" not in file_of(kind).read_text("utf-8")] == []


def test_every_type_of_the_program_is_covered(graph: Graph) -> None:
    made = {resource.type for resource in graph.customs()}
    assert made <= FREE_TYPES | set(PRICE_RULES), "it has no price and is not known to be free"
    assert FREE_TYPES & set(PRICE_RULES) == set()
    assert {resource.type for resource in graph.customs() if "tags" in resource.inputs} <= TAGGABLE


def test_the_pack_imports_nothing_but_itself_its_sdk_and_the_action_table() -> None:
    allowed = {"guardrails", "pulumi", "pulumi_policy", "policy_sentry", *sys.stdlib_module_names}
    imported = set()
    for file in Path(catalogue.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert imported <= allowed


def test_both_trust_tables_say_the_same_of_a_service() -> None:
    for service in Service:
        sent, expected = service in SENDING_THEIR_SOURCE, SENT_KEYS_BY_SERVICE[service.value]
        assert (sent, sent) == (expected.sends_account, expected.sends_arn), service


@pytest.mark.parametrize(
    ("name", "part", "key"),
    [
        ("voice-qa-audio-cors", "voice-qa", "voiceQa"),
        ("livestream-api", "livestream", "livestream"),
        ("voice", "voice", "voice"),
    ],
)
def test_a_pulumi_name_tells_its_subsystem(name: str, part: str, key: str) -> None:
    assert (parse_subsystem(name), settings_section(name)) == (part, key)


@DOCUMENTED
def test_no_document_is_at_fault_or_undecided_once_the_ids_of_aws_are_known() -> None:
    where = build_context()
    asked = [policy for policy in POLICIES if policy.group is PolicyGroup.LEAST_PRIVILEGE]
    assert run_policies(asked, of_graph(documented_graph.graph()), where) == []
