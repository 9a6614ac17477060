"""Tests of the list of all guardrail policies: names, compliance frameworks, enforcement levels, resource types and
imports.

The level of a policy says, by environment, if a finding stops the deployment (mandatory) or is only reported (advisory).
"""

import ast
import re
import sys
from pathlib import Path

import pulumi_aws
import pytest

from components.blocks.iam.trust_policy import SOURCE_SENDING_SERVICES, Service
from guardrails import policy_catalogue
from guardrails.allowed_types_and_providers import TYPES_WITHOUT_POLICY, list_checked_types
from guardrails.cost.required_tags import TAGGABLE
from guardrails.least_privilege.trust_condition_keys import SENT_KEYS_BY_SERVICE
from guardrails.model import resource_types
from guardrails.model.subsystem_of_resource import parse_subsystem, to_settings_section
from guardrails.pack.policy_kinds import EnforcementLevel, PolicyGroup, ResourceInStackPolicy, ResourcePolicy
from guardrails.policy_catalogue import POLICIES
from guardrails.pricing.free_resource_types import FREE_TYPES
from guardrails.pricing.price_rules import PRICED_TYPES
from local.generate import documented_resource_graph
from local.preview.resource_graph import Graph
from tests.policies.policy_harness import messages_from_graph, run_policies
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

PROVIDER_PACKAGE = Path(pulumi_aws.__file__).parent
FRAMEWORK_CONTROL = re.compile(
    r"AWS (FSBP|Security Hub) [A-Za-z0-9]+\.\d+|CIS AWS 3\.0 \d+(\.\d+)+|AWS Well-Architected [A-Z]+\d\d-BP\d\d"
)


def test_policy_names_are_unique_and_names_and_framework_controls_are_well_formed() -> None:
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
    for policy in POLICIES:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", policy.name), policy.name
        assert all(FRAMEWORK_CONTROL.fullmatch(control) for control in policy.frameworks), policy.name


def test_the_policy_that_reports_undecided_checks_is_the_last_one() -> None:
    """The SDK calls the policies in this order, so the report would lack the undecided checks of later policies. A check
    is undecided if it needs a value that AWS decides during the deployment.
    """
    assert [policy.name for policy in POLICIES if policy.name == "checks-at-deployment"] == [POLICIES[-1].name]


def test_no_policy_is_less_strict_in_prod_except_the_one_about_flex_jobs() -> None:
    strictness = [EnforcementLevel.DISABLED, EnforcementLevel.ADVISORY, EnforcementLevel.MANDATORY]
    for policy in POLICIES:
        if policy.name != "glue-flex-before-prod":
            levels = [strictness.index(policy.levels.for_environment(env)) for env in ("dev", "staging", "prod")]
            assert levels == sorted(levels), policy.name


def test_least_privilege_is_mandatory_in_every_environment() -> None:
    assert all(
        policy.levels.for_environment(env) is EnforcementLevel.MANDATORY
        for policy in POLICIES
        if policy.group is PolicyGroup.LEAST_PRIVILEGE
        for env in ("local", "dev", "staging", "prod")
    )


def list_named_types() -> list[str]:
    """Return all types of AWS resources that policies and price rules name. A name that ends with a slash stands for all
    types of a module.
    """
    constants = {value for name, value in vars(resource_types).items() if name.isupper() and isinstance(value, str)}
    checked = {
        kind
        for policy in POLICIES
        if isinstance(policy, ResourcePolicy | ResourceInStackPolicy)
        for kind in policy.types
    }
    all_types = constants | checked | TAGGABLE | FREE_TYPES | PRICED_TYPES
    return sorted(kind for kind in all_types if kind.startswith("aws:"))


def test_every_named_resource_type_exists_in_the_provider() -> None:
    missing_types = []
    for kind in list_named_types():
        if kind.endswith("/"):
            assert (PROVIDER_PACKAGE / kind.split(":")[1].rstrip("/") / "__init__.py").exists(), kind
            continue
        file = find_provider_file(kind)
        if not file.exists() or f"'{kind}'" not in file.read_text(encoding="utf-8"):
            missing_types.append(kind)
    assert missing_types == []


def find_provider_file(kind: str) -> Path:
    """Return the file of a type in the Python package of the AWS provider, by the package's naming convention."""
    module, _, resource = kind.split(":")[1].partition("/")
    file = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", resource).lower()
    return PROVIDER_PACKAGE / {"lambda": "lambda_"}.get(module, module) / f"{file}.py"


def test_every_type_that_needs_tags_supports_tags() -> None:
    for kind in TAGGABLE:
        assert "def tags(self, value:" in find_provider_file(kind).read_text("utf-8"), kind


def test_no_type_with_a_price_rule_is_listed_as_free() -> None:
    assert FREE_TYPES.isdisjoint(PRICED_TYPES)


def test_every_type_that_has_tags_in_the_program_is_listed_as_taggable(graph: Graph) -> None:
    assert {resource.type for resource in graph.customs() if "tags" in resource.inputs} <= TAGGABLE


def test_the_pack_imports_only_itself_its_sdk_and_policy_sentry() -> None:
    allowed = {"guardrails", "pulumi", "pulumi_policy", "policy_sentry", *sys.stdlib_module_names}
    imported_packages = set()
    for file in Path(policy_catalogue.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported_packages |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported_packages.add((node.module or "").partition(".")[0])
    assert imported_packages <= allowed


def test_pack_and_program_agree_on_the_services_that_send_condition_keys() -> None:
    """The pack is independent of the program, so both have a table of the services that send `aws:SourceAccount` and
    `aws:SourceArn` when they assume a role.
    """
    for service in Service:
        sends_keys, sent_keys = service in SOURCE_SENDING_SERVICES, SENT_KEYS_BY_SERVICE[service.value]
        assert (sent_keys.sends_account, sent_keys.sends_arn) == (sends_keys, sends_keys), service


@pytest.mark.parametrize(
    ("name", "subsystem", "settings_section"),
    [
        ("voice-qa-audio-cors", "voice-qa", "voiceQa"),
        ("livestream-api", "livestream", "livestream"),
        ("voice", "voice", "voice"),
    ],
)
def test_a_pulumi_name_starts_with_its_subsystem(name: str, subsystem: str, settings_section: str) -> None:
    assert (parse_subsystem(name), to_settings_section(name)) == (subsystem, settings_section)


@ONE_WORKER_FOR_DOCUMENTS
@pytest.mark.usefixtures("fast_sdk")
def test_no_iam_document_has_a_fault_or_is_undecided_if_all_generated_ids_are_known() -> None:
    """In a preview, the ids that AWS generates are unknown. The graph for the generated pages has sample ids."""
    policies = [policy for policy in POLICIES if policy.group is PolicyGroup.LEAST_PRIVILEGE]
    messages = messages_from_graph(documented_resource_graph.build_stack_graph())
    assert run_policies(policies, messages) == []


def test_no_type_with_a_policy_is_listed_as_a_type_without_one() -> None:
    assert not TYPES_WITHOUT_POLICY.keys() & list_checked_types()
