"""Tests of the policy pack as a process of its own, with all resources that a preview of each stack registers, and of the
configuration that the pack reads.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

from components.blocks.iam.identity_pool import COGNITO
from guardrails.pack import stack_configuration
from local.preview import stack_files
from local.preview.policy_pack_process import UNDECIDED, PolicyPackProcess
from local.preview.resource_graph import Graph
from tests.policies import policy_harness
from tests.policies.policy_harness import build_exception
from tests.whole_program import ONE_WORKER, STACKS, change_sections, graph, previewed, run_whole_program

DOCUMENTS_WITH_GENERATED_IDS = frozenset(
    {
        "transcription-audio-processor-grants-2",
        "voice-qa-guests-guest-grants-2",
        "voice-qa-guests-guest-role",
        "voice-qa-query-worker-grants-2",
        "voice-qa-validate-lecture-grants-2",
        "voice-qa-websocket-handler-grants-2",
    }
)
"""Pulumi names of documents that contain the id of an API or an identity pool, which AWS generates. The policies check
them during the deployment, and all other documents in the preview.
"""

pytestmark = ONE_WORKER


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_has_a_mandatory_finding_and_only_documents_with_generated_ids_are_undecided(stack: str) -> None:
    findings = previewed(stack).findings
    assert [finding for finding in findings if finding.level == "mandatory"] == []
    undecided = [finding for finding in findings if finding.level == UNDECIDED]
    assert {finding.urn.rpartition("::")[2] for finding in undecided} == DOCUMENTS_WITH_GENERATED_IDS
    [report] = [finding.message for finding in findings if finding.policy == "checks-at-deployment"]
    assert report.startswith(f"{len(undecided)} checks have no result yet")
    for finding in undecided:
        document = finding.urn.rpartition("::")[2]
        [line] = [line for line in report.splitlines() if document in line]
        assert finding.policy in line
    assert any(finding.policy == "cost-estimate" and finding.message.startswith("About $") for finding in findings)


@pytest.mark.parametrize(
    ("name", "key", "statement", "policy"),
    [
        (
            "voice-qa-query-worker-grants-2",
            "policy",
            {"Action": "execute-api:ManageConnections", "Resource": "*"},
            "iam-no-star-resource",
        ),
        ("voice-qa-guests-guest-grants-2", "policy", {"Action": "iam:*", "Resource": "*"}, "iam-no-wildcard-action"),
        (
            "voice-qa-guests-guest-role",
            "assumeRolePolicy",
            {"Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": COGNITO}},
            "iam-trust-federated-conditioned",
        ),
    ],
)
def test_the_deployment_finds_the_fault_of_a_document_that_was_undecided_in_the_preview(
    name: str, key: str, statement: dict[str, Any], policy: str
) -> None:
    levels = {
        finding.urn: finding.level
        for finding in previewed("prod").findings
        if finding.policy == policy and finding.urn.endswith(f"::{name}")
    }
    [(urn, preview_level)] = levels.items()
    assert preview_level == UNDECIDED

    request = RegisterResourceRequest()
    request.CopyFrom(graph("prod")[urn].request)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    request.object.update({key: json.dumps(document)})
    with PolicyPackProcess(stack_files.read_stack("prod"), dry_run=False) as pack:
        pack.policies()
        findings = pack.analyze_resource(Graph().add(urn, request))
    assert (policy, "mandatory") in {(finding.policy, finding.level) for finding in findings}
    assert UNDECIDED not in {finding.level for finding in findings}


def test_findings_and_estimate_do_not_depend_on_the_order_of_resources() -> None:
    """The CLI's engine keeps the resources in an unordered map."""
    recorded_graph = graph("prod")
    with PolicyPackProcess(stack_files.read_stack("prod"), dry_run=True) as pack:
        pack.policies()
        findings = pack.analyze_stack(recorded_graph)
        assert [finding.policy for finding in findings] == ["cost-estimate"]
        for seed in range(3):
            shuffled = Graph()
            order = Random(seed)  # noqa: S311 - a random order, not a secret
            shuffled._resources = dict(order.sample([*recorded_graph._resources.items()], len(recorded_graph)))
            assert pack.analyze_stack(shuffled) == findings


def test_no_mandatory_policy_finds_a_fault_in_the_network_of_a_private_agent() -> None:
    """If the agent that answers questions has a private address, the program attaches a function to the agent's VPC."""
    network = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0e3f"]}
    agent = {"endpoint": "https://agent.example.com:5000", "network": network}
    others = ("ingestion", "transcription", "livestream", "meetings")
    config = change_sections(
        "prod", {"voiceQa": {"agentcore": agent}, **{section: {"enabled": False} for section in others}}
    )
    with PolicyPackProcess(config, dry_run=True) as pack:
        findings = pack.analyze(run_whole_program(config).graph)
    assert [finding for finding in findings if finding.level == "mandatory"] == []


@pytest.mark.parametrize(
    ("config", "message_part"),
    [
        ({}, "polyphony:environment must be one of local, dev, staging, prod"),
        ({"polyphony:environment": "production"}, "polyphony:environment must be one of"),
        ({"polyphony:environment": "prod"}, "polyphony:exceptions is missing in the stack file"),
        (
            {"polyphony:environment": "prod", "polyphony:exceptions": '[{"policy": "x"}]'},
            "must have policy, resource, reason and expires",
        ),
    ],
)
def test_a_configuration_without_valid_environment_or_exceptions_is_refused(
    config: Mapping[str, str], message_part: str
) -> None:
    with pytest.raises(stack_configuration.InvalidStackConfiguration, match=message_part):
        stack_configuration.read_stack_context(config, "polyphony", date(2026, 11, 1))


@pytest.mark.parametrize("day", ["2026-12-31", "2026-12-31T00:00:00Z"])
def test_a_date_may_be_quoted_or_unquoted_in_the_stack_file(day: str) -> None:
    entry = {"policy": "table-backed-up", "resource": "x", "reason": "until the move is over", "expires": day}
    config = {"polyphony:environment": "prod", "polyphony:exceptions": json.dumps([entry])}
    [exception] = stack_configuration.read_stack_context(config, "polyphony", date(2026, 11, 1)).exceptions
    assert exception.expires == date(2026, 12, 31)


def test_policies_about_exceptions_report_them_even_if_another_exception_names_these_policies() -> None:
    policy_names = ("exceptions-in-order", "exceptions-in-force", "published-settings-agree")
    exceptions = [build_exception("table-backed-up", "ingestion-files-table", date(2020, 1, 1))]
    exceptions += [build_exception(policy, "platform") for policy in policy_names]
    context = policy_harness.build_context("prod", *exceptions)
    answers = policy_harness.run_policies(policy_names, policy_harness.messages_from_graph(graph("prod")), context)
    assert {answer.policy for answer in answers} == set(policy_names), "the program publishes no exceptions"
    assert any("expired on 2020-01-01" in answer.message for answer in answers)


CONFIG = {"polyphony:environment": "prod", "polyphony:exceptions": "[]"}


def test_the_stack_file_names_its_own_account() -> None:
    config = {**CONFIG, "aws:allowedAccountIds": "[1234567890]"}
    context = stack_configuration.read_stack_context(config, "polyphony", date(2026, 11, 1))
    assert context.accounts == {"001234567890"}


def test_own_accounts_may_be_missing_in_the_stack_file() -> None:
    assert stack_configuration.read_stack_context(CONFIG, "polyphony", date(2026, 11, 1)).accounts == frozenset()


@pytest.mark.parametrize("account_ids", ["123456789012", "{", "true"])
def test_own_accounts_must_be_a_list(account_ids: str) -> None:
    with pytest.raises(stack_configuration.InvalidStackConfiguration, match="must be a list of account ids"):
        stack_configuration.read_stack_context(
            {**CONFIG, "aws:allowedAccountIds": account_ids}, "polyphony", date(2026, 11, 1)
        )


def test_a_stack_belongs_to_one_account() -> None:
    with pytest.raises(stack_configuration.InvalidStackConfiguration, match="lists 2 accounts"):
        stack_configuration.read_stack_context(
            {**CONFIG, "aws:allowedAccountIds": '["123456789012", "210987654321"]'}, "polyphony", date(2026, 11, 1)
        )


@pytest.mark.parametrize("environment", ["local", "dev", "staging"])
@pytest.mark.parametrize("stack", ["prod", "Prod-eu", "eu-prod"])
def test_a_stack_cannot_have_the_environment_of_another_name(stack: str, environment: str) -> None:
    config = {**CONFIG, "polyphony:environment": environment}
    with pytest.raises(
        stack_configuration.InvalidStackConfiguration, match="Set it to prod, or give the stack another"
    ):
        stack_configuration.read_stack_context(config, "polyphony", date(2026, 11, 1), stack)


@pytest.mark.parametrize("stack", ["prod", "prod-eu", "alice", "production"])
def test_other_names_of_a_stack_do_not_decide_its_environment(stack: str) -> None:
    assert stack_configuration.read_stack_context(CONFIG, "polyphony", date(2026, 11, 1), stack).environment == "prod"


@pytest.mark.parametrize(("environment", "findings"), [("local", 0), ("dev", 1), ("prod", 1)])
def test_settings_without_a_boundary_are_a_finding_outside_the_local_platform(environment: str, findings: int) -> None:
    context = replace(policy_harness.build_context(environment), permissions_boundary="")
    role = policy_harness.SampleResource("aws:iam/role:Role", {"name": "r"})
    answers = policy_harness.run_policies(["iam-role-has-boundary"], policy_harness.build_messages([role]), context)
    assert ["settings name no boundary" in answer.message for answer in answers] == [True] * findings
