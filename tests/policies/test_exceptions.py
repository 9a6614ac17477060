"""Tests of exception entries, each of which excuses one resource from one policy until a date: their longest duration,
and the policies that no entry can excuse.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from guardrails.exceptions_and_undecided_checks import CHECKING_POLICIES, MAX_EXCEPTION_DAYS
from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import PolicySeverity
from tests.policies.policy_harness import (
    TODAY,
    PolicyAnswer,
    SampleResource,
    build_context,
    build_exception,
    build_messages,
    run_policies,
)

EXCUSABLE_CRITICAL_POLICIES = {"key-keeps-its-account", "no-secret-in-environment", "no-secret-in-properties"}
"""Critical policies that an exception may excuse, because their findings concern neither public nor foreign access: a
value that only looks like a secret, and a key that no principal could manage."""
TABLE = SampleResource(t.TABLE, {"name": "t"}, "table")
PLATFORM = SampleResource(t.PLATFORM, {}, "platform")


def check_exception(policy: str, resource: str = "table", expires: date = TODAY) -> list[PolicyAnswer]:
    """Return what the policy `exceptions-in-order` finds in a stack with one exception entry."""
    context = build_context("prod", build_exception(policy, resource, expires))
    return run_policies(["exceptions-in-order"], build_messages([TABLE, PLATFORM]), context)


def test_an_exception_of_90_days_is_in_order_and_a_longer_one_is_not() -> None:
    last_day = TODAY + timedelta(days=90)
    assert check_exception("table-backed-up", expires=last_day) == []
    [answer] = check_exception("table-backed-up", expires=last_day + timedelta(days=1))
    assert f"the last day allowed today is {last_day}" in answer.message
    [answer] = check_exception("table-backed-up", expires=date(9999, 12, 31))
    assert "expires on 9999-12-31" in answer.message


def test_the_90_days_count_from_the_day_of_the_run() -> None:
    """An exception that ends too late today is in order later, when it has fewer days left."""
    expires = TODAY + timedelta(days=MAX_EXCEPTION_DAYS + 30)
    entry = build_exception("table-backed-up", "table", expires)
    context = build_context("prod", entry)
    later_context = replace(context, today=TODAY + timedelta(days=30))
    stack = build_messages([TABLE, PLATFORM])
    assert len(run_policies(["exceptions-in-order"], stack, context)) == 1
    assert run_policies(["exceptions-in-order"], stack, later_context) == []


@pytest.mark.parametrize("policy", sorted(policy.name for policy in CHECKING_POLICIES if not policy.excusable))
def test_an_exception_for_a_policy_that_cannot_be_excused_is_a_finding(policy: str) -> None:
    [answer] = check_exception(policy)
    assert "no exception can excuse public data, foreign accounts or privilege escalation" in answer.message


def test_no_exception_excuses_a_critical_policy_that_is_not_listed_here() -> None:
    assert {
        policy.name for policy in CHECKING_POLICIES if policy.severity is PolicySeverity.CRITICAL and policy.excusable
    } == EXCUSABLE_CRITICAL_POLICIES
