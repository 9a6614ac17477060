"""Tests of undecided checks: the engine counts them neither as passed nor as failed, and one finding lists all of them."""

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
    POLICIES_BY_NAME,
    UNKNOWN,
    SampleResource,
    build_analyzer,
    build_context,
    build_exception,
    build_messages,
    run_policies,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)
REPORT = POLICIES_BY_NAME["checks-at-deployment"]
TABLES = [SampleResource(t.TABLE, {"name": name}, resource) for resource, name in (("a", UNKNOWN), ("b", "bad"))]


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


@POLICIES.relation(
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
        answers = run_policies([policy], build_messages(TABLES), build_context())
        assert {(answer.name, answer.undecided) for answer in answers} == {("a", True), ("b", False)}


def test_the_report_names_each_resource_and_the_policies_that_did_not_decide() -> None:
    answers = run_policies([*POLICIES, REPORT], build_messages(TABLES), build_context())
    [report] = [answer.message for answer in answers if answer.policy == REPORT.name]
    assert report.startswith("3 checks have no result yet")
    assert report.splitlines()[1:] == ["- a: one-table, related-tables", "- the stack as a whole: whole-stack"]


def test_nothing_is_reported_if_all_values_are_known() -> None:
    known = [SampleResource(t.TABLE, {"name": "good"}, "a"), TABLES[1]]
    answers = run_policies([*POLICIES, REPORT], build_messages(known), build_context())
    assert [(answer.policy, answer.name) for answer in answers] == [
        ("one-table", "b"),
        ("related-tables", "b"),
        ("whole-stack", "b"),
    ]


def test_an_undecided_policy_is_not_applicable_and_thus_not_passed() -> None:
    """The engine counts a policy without diagnostic as passed, unless the policy is not applicable."""
    stack = build_messages(TABLES[:1])
    analyzer = build_analyzer(POLICIES, build_context())
    of_resource = analyzer.Analyze(stack.inputs["a"], None)
    of_stack = analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None)
    assert [*of_resource.diagnostics, *of_stack.diagnostics] == []
    assert [policy.policy_name for policy in of_resource.not_applicable] == ["one-table"]
    assert [policy.policy_name for policy in of_stack.not_applicable] == ["related-tables", "whole-stack"]


def test_an_excused_resource_is_not_reported_as_undecided() -> None:
    context = build_context("prod", *(build_exception(policy.name, "a") for policy in POLICIES))
    answers = run_policies([*list(POLICIES)[:2], REPORT], build_messages(TABLES), context)
    assert {answer.name for answer in answers} == {"b"}


def test_an_undecided_check_of_several_requests_is_counted_once() -> None:
    stack = build_messages(TABLES[:1])
    analyzer = build_analyzer([*POLICIES, REPORT], build_context())
    request = analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values()))
    first, second = (analyzer.AnalyzeStack(request, None).diagnostics for _ in range(2))
    assert first[0].message == second[0].message


def test_a_reason_keeps_the_checks_and_another_reason_has_none() -> None:
    checks = [UndecidedCheck("p", "urn:a", "string value at .x: y"), UndecidedCheck("p", "", "number value")]
    assert list(parse_reason("p", to_reason(checks))) == checks
    assert list(parse_reason("p", "Policy does not implement remediate")) == []
