"""Tests of the policies about the monthly cost: a change of the recorded prod program for each policy."""

from collections.abc import Callable

import pytest

from guardrails import resource_types as t
from guardrails.pricing.checked_stack_estimate import estimate_stack
from guardrails.rules.spending import POLICIES
from tests.policies.program import UNKNOWN, Program, assert_new_finding
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER

STACK = ""
"""Name of the resource in findings about the whole stack."""


def change_stack(*changed: object) -> str:
    assert changed
    return STACK


BREAKS: dict[str, Callable[[Program], str]] = {
    "cost-estimate": lambda p: change_stack(p.add("aws:lex/bot:Bot", "bot", {})),
    "spend-within-budget": lambda p: p.change("platform", budget=1),
    "spend-within-budget:no-usage": lambda p: p.edit("platform", "usage", lambda usage: usage.pop("livestream-api")),
    "spend-within-budget:unknown-usage": lambda p: p.edit("platform", "usage", lambda usage: usage.update(a={"x": 1})),
    "spend-within-budget:no-platform": lambda p: change_stack(p.drop("platform")),
    "budget-exists": lambda p: change_stack(p.drop(t.BUDGET)),
    "budget-exists:nobody": lambda p: change_stack(p.change(t.BUDGET, notifications=[{"threshold": 80}])),
    "anomaly-detection-exists": lambda p: change_stack(p.drop(t.ANOMALY_SUBSCRIPTION)),
}


def test_every_policy_has_a_break() -> None:
    assert {name.partition(":")[0] for name in BREAKS} == {policy.name for policy in POLICIES}


@pytest.mark.parametrize("case", BREAKS)
def test_a_fault_is_found_where_it_is(case: str) -> None:
    assert_new_finding(case.partition(":")[0], BREAKS[case])


def test_an_estimate_of_the_whole_budget_is_allowed() -> None:
    program = Program()
    [platform] = program.read().list_resources(t.PLATFORM)
    program.change("platform", budget=estimate_stack(program.read(), platform).total)
    assert program.find("spend-within-budget") == {}


def test_an_unknown_property_does_not_prevent_the_estimate() -> None:
    program = Program()
    before = program.find("cost-estimate")
    program.change("livestream-episodes-function", description=UNKNOWN)
    assert program.find("cost-estimate") == before


def test_the_error_of_the_estimate_names_the_usage() -> None:
    program = Program()
    program.edit("platform", "usage", lambda usage: usage.update(nobody={"writes": 1}))
    assert "nobody, but the stack has no block of this name" in program.find("spend-within-budget")["platform"]
