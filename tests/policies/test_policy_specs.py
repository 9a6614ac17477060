"""Tests of every policy by its spec and by further cases, which the modules in `specs/` contain as `SPECS` and `CASES`.

A spec of a policy has a stack without a fault, a stack with a fault, a stack with an unknown value, and a change of the
whole program that causes a finding. A case is one more stack with the expected result.
"""

import importlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from pulumi.runtime.proto import analyzer_pb2

from guardrails.exceptions_and_undecided_checks import CHECKING_POLICIES
from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import EnforcementLevel
from guardrails.policy_catalogue import POLICIES
from tests.policies.policy_harness import (
    POLICIES_BY_NAME,
    TODAY,
    EngineMessages,
    PolicyAnswer,
    PolicyCase,
    PolicySpec,
    SampleResource,
    build_analyzer,
    build_context,
    build_exception,
    build_messages,
    run_policies,
)
from tests.policies.specs.data_protection import tls_only

SPEC_MODULES = [
    importlib.import_module(f"tests.policies.specs.{path.stem}")
    for path in sorted(Path(__file__).with_name("specs").glob("*.py"))
    if path.stem != "sample_iam_documents"
]
SPECS: list[PolicySpec] = [spec for module in SPEC_MODULES for spec in module.SPECS]
CASES: list[PolicyCase] = [case for module in SPEC_MODULES for case in module.CASES]

for_each_spec = pytest.mark.parametrize("spec", SPECS, ids=repr)


def test_every_policy_has_exactly_one_spec() -> None:
    counts = Counter(spec.policy for spec in SPECS)
    assert {name for name, count in counts.items() if count > 1} == set()
    assert set(counts) == {policy.name for policy in CHECKING_POLICIES}


@for_each_spec
def test_a_policy_passes_a_stack_without_faults(spec: PolicySpec) -> None:
    context = build_context(spec.environment)
    answers = run_policies([spec.policy], build_messages(spec.good), context)
    assert [answer for answer in answers if answer.message] == []


@for_each_spec
def test_a_policy_finds_the_fault_and_names_value_and_remedy(spec: PolicySpec) -> None:
    context = build_context(spec.environment)
    policy = POLICIES_BY_NAME[spec.policy]
    assert policy.levels.for_environment(spec.environment) is not EnforcementLevel.DISABLED, (
        "a disabled policy finds nothing"
    )
    answers = [
        answer
        for answer in run_policies([policy], build_messages(spec.bad), context)
        if answer.name == spec.faulty_name
    ]
    assert answers, "nothing was found"
    assert any(spec.message_part in answer.message for answer in answers), [answer.message for answer in answers]
    assert all(answer.message.endswith(policy.remedy) for answer in answers)


@for_each_spec
def test_an_unknown_value_is_undecided_and_reported_or_does_not_hide_other_faults(spec: PolicySpec) -> None:
    """If the policy needs the unknown value (`spec.undecided`), it has no result, and the policy `checks-at-deployment`
    reports that. Otherwise the stack also has a fault, which the policy finds.
    """
    context = build_context(spec.environment)
    policies = [spec.policy, "checks-at-deployment"]
    answers = run_policies(policies, build_messages(spec.unknown), context)
    reports = [answer.message for answer in answers if answer.policy == "checks-at-deployment"]
    if spec.undecided:
        assert any(answer.undecided for answer in answers), [answer.message for answer in answers]
        [report] = reports
        assert spec.policy in report
    else:
        assert reports == []
        assert not any(answer.undecided for answer in answers), [answer.message for answer in answers]
        assert answers, "the policy found no fault besides the unknown value"


@for_each_spec
def test_an_exception_excuses_its_resource_until_it_expires_if_the_policy_is_excusable(spec: PolicySpec) -> None:
    name = spec.faulty_name or "platform"  # an exception for the stack as a whole names "platform"
    excused = build_context(spec.environment, build_exception(spec.policy, name))
    answers = run_policies([spec.policy], build_messages(spec.bad), excused)
    findings = [answer for answer in answers if answer.name == spec.faulty_name]
    assert (findings == []) is POLICIES_BY_NAME[spec.policy].excusable

    expired = build_context(spec.environment, build_exception(spec.policy, name, TODAY.replace(day=19)))
    answers = run_policies([spec.policy], build_messages(spec.bad), expired)
    assert [answer for answer in answers if answer.name == spec.faulty_name], "an expired exception excuses nothing"


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_case_has_the_expected_result(case: PolicyCase) -> None:
    answers = run_policies([case.policy], build_messages(case.samples))
    messages = [answer.message for answer in answers]
    assert any(case.message_part in message for message in messages) if case.message_part else messages == [], messages
    assert not case.faulty_name or {answer.name for answer in answers} == {case.faulty_name}


def test_a_property_that_only_the_provider_returns_does_not_count_as_set_by_the_program() -> None:
    """The provider returns a correct bucket policy, but the policy `bucket-tls-only` still finds that none is set. The
    policy `required-tags` is in the pack because it sees each resource's inputs, so that the pack records them.
    """
    stack = build_messages([SampleResource(t.BUCKET, {"bucket": "b"}, provider_outputs={"policy": tls_only()})])
    analyzer = build_analyzer(["required-tags", "bucket-tls-only"])
    analyzer.Analyze(stack.inputs["sample"], None)
    stack_response = analyzer.AnalyzeStack(
        analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None
    )
    assert [diagnostic.policyName for diagnostic in stack_response.diagnostics] == ["bucket-tls-only"]


@pytest.fixture(scope="module")
def answers_before(fast_sdk: None, prod: EngineMessages) -> Mapping[str, Counter[PolicyAnswer]]:
    """Return all answers about the unchanged program, by environment."""
    answers = {}
    for environment in ("staging", "prod"):
        context = build_context(environment)
        answers[environment] = Counter(run_policies(POLICIES, prod, context))
    return answers


@for_each_spec
def test_only_the_faulty_resource_has_new_findings_after_a_faulty_change_of_the_program(
    spec: PolicySpec, prod: EngineMessages, answers_before: Mapping[str, Counter[PolicyAnswer]]
) -> None:
    context = build_context(spec.environment)
    stack = prod.copy()
    faulty_name = spec.break_program(stack)
    answers = Counter(run_policies([spec.policy], stack, context))
    new_answers = answers - answers_before[spec.environment]
    assert {answer.name for answer in new_answers} == {faulty_name, *spec.also_faulty}, [
        answer.message for answer in new_answers
    ]
