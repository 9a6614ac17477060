"""Tests of undecided checks, which need a value that AWS decides during the deployment. The engine counts them neither as
passed nor as failed, and a finding of the policy `checks-at-deployment` lists all of them.
"""

from collections.abc import Iterator

from pulumi.runtime.proto import analyzer_pb2

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)
from guardrails.pack.undecided_checks import UndecidedCheck, parse_reason, to_reason
from tests.policies.policy_harness import (
    UNKNOWN,
    SampleResource,
    build_analyzer,
    build_context,
    build_exception,
    build_messages,
    run_policies,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)
"""Policies of this test, one of each kind: about single resources, about related resources, and about the stack."""
REPORT = "checks-at-deployment"
UNKNOWN_TABLE = SampleResource(t.TABLE, {"name": UNKNOWN}, "a")
BAD_TABLE = SampleResource(t.TABLE, {"name": "bad"}, "b")


@POLICIES.resource(
    "one-table",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A table has a good name.",
    remedy="Rename it.",
    types={t.TABLE},
)
def _check_one_table(table: CheckedResource) -> Iterator[str]:
    if table.props["name"] == "bad":
        yield "The name is bad."


@POLICIES.resource_in_stack(
    "related-tables",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A table of the stack has a good name.",
    remedy="Rename it.",
    types={t.TABLE},
)
def _check_related_tables(table: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    yield from _check_one_table(table)


@POLICIES.stack(
    "whole-stack",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="All tables have good names.",
    remedy="Rename them.",
)
def _check_whole_stack(stack: CheckedStack) -> Iterator[Finding]:
    for table in stack.list_resources(t.TABLE):
        yield from (Finding(message, table.urn) for message in _check_one_table(table))


def test_a_resource_with_an_unknown_value_is_undecided_and_the_others_are_checked() -> None:
    resource_policy, relation_policy, _ = POLICIES
    for policy in (resource_policy, relation_policy):
        answers = run_policies([policy], build_messages([UNKNOWN_TABLE, BAD_TABLE]))
        assert {(answer.name, answer.undecided) for answer in answers} == {("a", True), ("b", False)}


def test_the_report_names_each_resource_and_the_policies_that_did_not_decide() -> None:
    answers = run_policies([*POLICIES, REPORT], build_messages([UNKNOWN_TABLE, BAD_TABLE]))
    [report] = [answer.message for answer in answers if answer.policy == REPORT]
    assert report.startswith("3 checks have no result yet")
    assert report.splitlines()[1:] == ["- a: one-table, related-tables", "- the stack as a whole: whole-stack"]


def test_nothing_is_reported_if_all_values_are_known() -> None:
    tables = [SampleResource(t.TABLE, {"name": "good"}, "a"), BAD_TABLE]
    answers = run_policies([*POLICIES, REPORT], build_messages(tables))
    assert [(answer.policy, answer.name) for answer in answers] == [
        ("one-table", "b"),
        ("related-tables", "b"),
        ("whole-stack", "b"),
    ]


def test_an_undecided_policy_is_not_applicable_and_thus_not_passed() -> None:
    """The engine counts a policy without diagnostic as passed, unless the policy is not applicable."""
    stack = build_messages([UNKNOWN_TABLE])
    analyzer = build_analyzer(POLICIES)
    resource_response = analyzer.Analyze(stack.inputs["a"], None)
    stack_request = analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values()))
    stack_response = analyzer.AnalyzeStack(stack_request, None)
    assert [*resource_response.diagnostics, *stack_response.diagnostics] == []
    assert [policy.policy_name for policy in resource_response.not_applicable] == ["one-table"]
    assert [policy.policy_name for policy in stack_response.not_applicable] == ["related-tables", "whole-stack"]


def test_a_resource_with_an_exception_is_not_reported_as_undecided() -> None:
    context = build_context("prod", *(build_exception(policy.name, "a") for policy in POLICIES))
    answers = run_policies([*list(POLICIES)[:2], REPORT], build_messages([UNKNOWN_TABLE, BAD_TABLE]), context)
    assert {answer.name for answer in answers} == {"b"}


def test_an_undecided_check_of_several_requests_is_counted_once() -> None:
    stack = build_messages([UNKNOWN_TABLE])
    analyzer = build_analyzer([*POLICIES, REPORT])
    request = analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values()))
    first_report, second_report = (analyzer.AnalyzeStack(request, None).diagnostics[0].message for _ in range(2))
    assert first_report == second_report


def test_undecided_checks_can_be_read_from_the_reason_of_the_pack_but_not_from_another_reason() -> None:
    """The SDK's answer about a policy that is not applicable has a reason, a text, in which the pack lists the checks."""
    checks = [UndecidedCheck("p", "urn:a", "string value at .x: y"), UndecidedCheck("p", "", "number value")]
    assert list(parse_reason("p", to_reason(checks))) == checks
    assert list(parse_reason("p", "Policy does not implement remediate")) == []
