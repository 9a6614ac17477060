"""Tests of the policy pack as a separate process, of the list of its policies, and of the configuration that it reads."""

import ast
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

from guardrails import catalogue
from guardrails.catalogue import POLICIES
from guardrails.records import Group, Level
from guardrails.stack_configuration import ExceptionEntry, InvalidStackConfiguration, read_stack_context
from guardrails.subsystem_of_resource import parse_subsystem
from local.generate import generated_files
from local.preview import stack_files
from local.preview.policy_pack_process import PolicyFinding, PolicyPackProcess
from local.preview.resource_graph import Graph
from tests.fake_engine import context
from tests.policies.program import TODAY, Program
from tests.whole_program import ONE_WORKER, STACKS, change_sections, graph, previewed, run_whole_program

pytestmark = ONE_WORKER

WITH_GENERATED_IDS = {
    "transcription-audio-processor-grants-2",
    "voice-qa-guests-guest-grants-2",
    "voice-qa-guests-guest-role",
    "voice-qa-query-worker-grants-2",
    "voice-qa-websocket-handler-grants-2",
}
"""Documents that contain the id of an API or an identity pool, which AWS assigns."""
CONFIG = {"polyphony:environment": "prod"}


def read(config: Mapping[str, str], stack: str = "") -> Any:
    return read_stack_context(config, "polyphony", TODAY, stack)


def analyze(pack: PolicyPackProcess, graph: Graph) -> list[PolicyFinding]:
    for resource in graph:
        pack.send(resource)
    return pack.finish(graph)


def list_mandatory(findings: list[PolicyFinding]) -> list[PolicyFinding]:
    return [finding for finding in findings if finding.level == "mandatory"]


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_has_a_mandatory_finding_and_only_documents_with_generated_ids_are_undecided(stack: str) -> None:
    findings = previewed(stack).findings
    assert list_mandatory(list(findings)) == []
    [report] = [finding.message for finding in findings if finding.policy == "checks-at-deployment"]
    undecided = {line.removeprefix("- ").partition(":")[0] for line in report.splitlines()[1:]}
    roles = {f"{name.removesuffix('-grants-2')}-role" for name in WITH_GENERATED_IDS if name.endswith("-grants-2")}
    assert undecided == WITH_GENERATED_IDS | roles
    assert any(finding.policy == "cost-estimate" and finding.message.startswith("About $") for finding in findings)


@pytest.mark.parametrize(
    ("name", "key", "statement", "policy"),
    [
        ("voice-qa-query-worker-grants-2", "policy", {"Action": "iam:*", "Resource": "*"}, "grant-exact"),
        (
            "voice-qa-guests-guest-role",
            "assumeRolePolicy",
            {"Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "cognito-identity.amazonaws.com"}},
            "iam-trust-federated-conditioned",
        ),
    ],
)
def test_the_deployment_finds_the_fault_of_a_document_that_was_undecided_in_the_preview(
    name: str, key: str, statement: dict[str, Any], policy: str
) -> None:
    urn = next(resource.urn for resource in graph("prod") if resource.name == name)
    request = RegisterResourceRequest()
    request.CopyFrom(graph("prod")[urn].request)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    request.object.update({key: json.dumps(document)})
    with PolicyPackProcess(stack_files.read_stack("prod"), dry_run=False) as pack:
        findings = pack.analyze_resource(Graph().add(urn, request))
    assert policy in {finding.policy for finding in list_mandatory(findings)}


def test_findings_and_estimate_do_not_depend_on_the_order_of_resources() -> None:
    """The CLI's engine keeps the resources in an unordered map."""
    recorded = graph("prod")
    with PolicyPackProcess(stack_files.read_stack("prod"), dry_run=True) as pack:
        analyze(pack, recorded)
        findings = pack.analyze_stack(recorded)
        assert "cost-estimate" in {finding.policy for finding in findings}
        for seed in range(2):
            shuffled = Graph()
            order = Random(seed)  # noqa: S311 - a random order, not a secret
            shuffled._resources = dict(order.sample([*recorded._resources.items()], len(recorded)))
            assert pack.analyze_stack(shuffled) == findings


def test_an_exception_silences_one_policy_for_one_resource_and_is_reported() -> None:
    config = stack_files.read_stack("prod")
    entry = {
        "policy": "bucket-never-emptied",
        "resource": "ingestion-lake-bucket",
        "reason": "it is emptied for the move",
        "expires": (date.today() + timedelta(days=30)).isoformat(),  # noqa: DTZ011 - a day without a time
    }
    changed = stack_files.StackConfig(
        config.project, config.stack, {**config.values, "polyphony:exceptions": json.dumps([entry])}, config.secret_keys
    )
    recorded = Graph()
    for resource in graph("prod"):
        request = RegisterResourceRequest()
        request.CopyFrom(resource.request)
        if resource.type == "aws:s3/bucket:Bucket":
            request.object.update({"forceDestroy": True})
        recorded.add(resource.urn, request)
    with PolicyPackProcess(changed, dry_run=True) as pack:
        findings = analyze(pack, recorded)
    names = {f.urn.rpartition("::")[2] for f in findings if f.policy == "bucket-never-emptied"}
    assert "ingestion-lake-bucket" not in names
    assert "meetings-recordings-bucket" in names
    assert [f.urn.rpartition("::")[2] for f in findings if f.policy == "exceptions-in-force"] == [
        "ingestion-lake-bucket"
    ]


def test_a_malformed_document_is_a_finding_without_its_content() -> None:
    program = Program()
    name = program.change("ingestion-steps-grants", policy='{"Version": "2012-10-17", "Statement": [{"Effect": "x"}]}')
    assert program.find("grant-allowed")[name].startswith("A property or document has an unexpected form")


@pytest.mark.parametrize(
    ("policy", "resource", "days", "message"),
    [
        ("table-deletion-protected", "ingestion-files-table", 90, ""),
        ("table-deletion-protected", "ingestion-files-table", 91, "the last allowed day"),
        ("table-deletion-protected", "ingestion-files-table", -1, "expires on"),
        ("table-deletion-protected", "no-table", 1, "names a resource that this stack does not have"),
        ("no-policy", "ingestion-files-table", 1, "names a policy that this pack does not have"),
        ("grant-allowed", "ingestion-files-table", 1, "has no effect"),
        ("exceptions-in-order", "platform", 1, "names a policy that this pack does not have"),
    ],
)
def test_an_exception_is_in_order_or_a_finding(policy: str, resource: str, days: int, message: str) -> None:
    program = Program()
    entry = ExceptionEntry(policy, resource, "a reason of some length", TODAY + timedelta(days=days))
    program.context = replace(program.context, exceptions=(entry,))
    found = program.find("exceptions-in-order")
    assert (message in found[""]) if message else (found == {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("account", "210987654321"),
        ("environment", "dev"),
        ("exceptions", [{"policy": "a", "resource": "b", "expires": "c"}]),
    ],
)
def test_the_program_runs_with_the_configuration_of_the_stack(key: str, value: object) -> None:
    program = Program()
    assert program.find("published-settings-agree") == {}
    program.change("platform", **{key: value})
    assert "platform" in program.find("published-settings-agree")


def test_policy_names_are_unique_and_the_report_of_undecided_checks_is_last() -> None:
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", policy.name) for policy in POLICIES)
    assert POLICIES[-1].name == "checks-at-deployment"


def test_no_policy_is_less_strict_in_prod() -> None:
    strictness = [Level.DISABLED, Level.ADVISORY, Level.MANDATORY]
    for policy in POLICIES:
        levels = [strictness.index(policy.levels.for_environment(name)) for name in ("dev", "staging", "prod")]
        assert levels == sorted(levels), policy.name


def test_permissions_and_public_data_are_mandatory_everywhere_and_never_excused() -> None:
    excusable = {
        policy.name
        for policy in POLICIES
        if policy.group is Group.LEAST_PRIVILEGE
        and (policy.exceptions_allowed or policy.levels.for_environment("dev") is not Level.MANDATORY)
    }
    assert excusable == {"iam-trust-usable", "no-secret-in-properties"}


def test_the_page_of_the_policies_is_generated_from_them() -> None:
    page = "docs/reference/policies.md"
    assert generated_files.find_stale_files({page: generated_files.PAGES[page]}) == [], "run `make docs`"


def test_the_pack_imports_only_itself_and_its_sdk() -> None:
    allowed = {"guardrails", "pulumi", "pulumi_policy", *sys.stdlib_module_names}
    for file in Path(catalogue.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, file


@pytest.mark.parametrize(("name", "subsystem"), [("voice-qa-audio-cors", "voice-qa"), ("livestream-api", "livestream")])
def test_a_pulumi_name_starts_with_its_subsystem(name: str, subsystem: str) -> None:
    assert parse_subsystem(name) == subsystem


def test_no_mandatory_policy_finds_a_fault_in_the_network_of_a_private_agent() -> None:
    """If the agent that answers questions has a private address, the program attaches a function to the agent's VPC."""
    network = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0e3f"]}
    agent = {"endpoint": "https://agent.example.com:5000", "network": network}
    config = change_sections("prod", {"voiceQa": {"agentcore": agent}})
    with PolicyPackProcess(config, dry_run=True) as pack:
        assert list_mandatory(analyze(pack, run_whole_program(config).graph)) == []


def test_pack_and_program_agree_on_the_beginning_of_names() -> None:
    prefix = read(CONFIG | {"polyphony:environment": "dev"}, "feature-x").seen.prefix
    assert prefix == f"{context('feature-x').stack_label}-"


@pytest.mark.parametrize(
    ("config", "message_part"),
    [
        ({}, "polyphony:environment must be one of local, dev, staging, prod"),
        ({"polyphony:environment": "production"}, "polyphony:environment must be one of"),
        ({**CONFIG, "polyphony:exceptions": '[{"policy": "x"}]'}, "must have policy, resource, reason and expires"),
        ({**CONFIG, "aws:allowedAccountIds": "123456789012"}, "must be a list of account ids"),
        ({**CONFIG, "aws:allowedAccountIds": "{"}, "must be a list of account ids"),
        ({**CONFIG, "aws:allowedAccountIds": '["123456789012", "210987654321"]'}, "lists 2 accounts"),
    ],
)
def test_an_invalid_configuration_is_refused(config: Mapping[str, str], message_part: str) -> None:
    with pytest.raises(InvalidStackConfiguration, match=message_part):
        read(config)


@pytest.mark.parametrize("environment", ["local", "dev", "staging"])
@pytest.mark.parametrize("stack", ["prod", "Prod-eu", "eu-prod"])
def test_a_stack_cannot_have_the_environment_of_another_name(stack: str, environment: str) -> None:
    with pytest.raises(InvalidStackConfiguration, match="Set it to prod, or give the stack another"):
        read({**CONFIG, "polyphony:environment": environment}, stack)


@pytest.mark.parametrize("stack", ["prod", "prod-eu", "alice", "production"])
def test_other_names_of_a_stack_do_not_decide_its_environment(stack: str) -> None:
    assert read(CONFIG, stack).environment == "prod"


@pytest.mark.parametrize("day", ["2026-12-31", "2026-12-31T00:00:00Z"])
def test_a_date_may_be_quoted_or_unquoted_in_the_stack_file(day: str) -> None:
    entry = {"policy": "table-deletion-protected", "resource": "x", "reason": "until the move is over", "expires": day}
    [exception] = read({**CONFIG, "polyphony:exceptions": json.dumps([entry])}).exceptions
    assert exception.expires == date(2026, 12, 31)


def test_a_stack_file_without_a_list_of_exceptions_has_no_exception() -> None:
    assert read(CONFIG).exceptions == ()


def test_yaml_drops_the_zeros_of_an_account() -> None:
    assert read({**CONFIG, "aws:allowedAccountIds": "[1234567890]"}).accounts == {"001234567890"}
    assert read(CONFIG).accounts == frozenset()
