"""What holds for all policies together: names, levels, words, the resource types and frameworks that they speak of."""

import ast
import re
import sys
from pathlib import Path

import pulumi_aws
import pytest

from components.blocks.iam.trust_policy import SOURCE_SENDING_SERVICES, Service
from guardrails import catalogue
from guardrails.catalogue import POLICIES
from guardrails.cost.required_tags import TAGGABLE
from guardrails.least_privilege.trust_condition_keys import SENDS
from guardrails.model import resource_types
from guardrails.model.subsystem_names import section, subsystem
from guardrails.pack.policy_kinds import Group, Level, Policy, RelationPolicy, ResourcePolicy
from guardrails.pricing.rules import FREE, RULES
from local.generate import documented_graph
from local.preview.resource_graph import Graph
from tests.policies.policy_harness import ask, of_graph, surroundings
from tests.whole_program import DOCUMENTED

PROVIDER = Path(pulumi_aws.__file__).parent
FRAMEWORK = re.compile(
    r"AWS (FSBP|Security Hub) [A-Za-z0-9]+\.\d+|CIS AWS 3\.0 \d+(\.\d+)+|AWS Well-Architected [A-Z]+\d\d-BP\d\d"
)


def test_every_group_has_policies_and_every_policy_a_name_of_its_own_in_one_form() -> None:
    groups = [one.group for one in POLICIES]
    assert all(groups.count(group) >= 15 for group in Group if group is not Group.EXCEPTIONS)
    assert len({one.name for one in POLICIES}) == len(POLICIES)
    for one in POLICIES:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", one.name), one.name
        assert all(FRAMEWORK.fullmatch(control) for control in one.frameworks), one.name


def test_only_what_merely_tells_never_blocks() -> None:
    telling = {one.name for one in POLICIES if not any(blocks(one, env) for env in ("dev", "staging", "prod"))}
    assert telling == {"cost-estimate", "exceptions-in-force", "glue-flex-before-prod"}


def blocks(policy: Policy, environment: str) -> bool:
    return policy.levels.of(environment) in {Level.MANDATORY, Level.REMEDIATE}


def test_no_policy_is_milder_in_prod_than_before_but_the_one_that_is_about_spare_capacity() -> None:
    hardness = [Level.DISABLED, Level.ADVISORY, Level.REMEDIATE, Level.MANDATORY]
    for one in POLICIES:
        if one.name != "glue-flex-before-prod":
            levels = [hardness.index(one.levels.of(env)) for env in ("dev", "staging", "prod")]
            assert levels == sorted(levels), one.name


def test_least_privilege_is_judged_in_every_environment() -> None:
    assert all(
        one.levels.of(env) is Level.MANDATORY
        for one in POLICIES
        if one.group is Group.LEAST_PRIVILEGE
        for env in ("local", "dev", "staging", "prod")
    )


def spoken_of() -> list[str]:
    named = {value for name, value in vars(resource_types).items() if name.isupper() and isinstance(value, str)}
    judged = {kind for one in POLICIES if isinstance(one, ResourcePolicy | RelationPolicy) for kind in one.types}
    return sorted(kind for kind in named | judged | TAGGABLE | FREE | set(RULES) if kind.startswith("aws:"))


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
    made = {one.type for one in graph.customs()}
    assert made <= FREE | set(RULES), "it has no price and is not known to be free"
    assert FREE & set(RULES) == set()
    assert {one.type for one in graph.customs() if "tags" in one.inputs} <= TAGGABLE


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
        sent, judged = service in SOURCE_SENDING_SERVICES, SENDS[service.value]
        assert (sent, sent) == (judged.account, judged.arn), service


@pytest.mark.parametrize(
    ("name", "part", "key"),
    [
        ("voice-qa-audio-cors", "voice-qa", "voiceQa"),
        ("livestream-api", "livestream", "livestream"),
        ("voice", "voice", "voice"),
    ],
)
def test_a_pulumi_name_tells_its_subsystem(name: str, part: str, key: str) -> None:
    assert (subsystem(name), section(name)) == (part, key)


@DOCUMENTED
def test_no_document_is_at_fault_or_undecided_once_the_ids_of_aws_are_known() -> None:
    where = surroundings()
    asked = [one for one in POLICIES if one.group is Group.LEAST_PRIVILEGE]
    assert ask(asked, of_graph(documented_graph.graph()), where) == []
