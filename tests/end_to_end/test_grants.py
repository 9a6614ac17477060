"""Tests that the permissions of all roles (their grants) are exactly those that the platform uses.

A *flow* is a program that uses one backend from end to end. Schedules and failures need more permissions. The tests
also show that a missing or unused grant is reported.
"""

from typing import Any

import pytest

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from tests.end_to_end.conftest import RecordedUse
from tests.end_to_end.deployed_ingestion import LINE, DeployedIngestion
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "ingestion-manifest-builder"


def wait_for_problem(platform: Platform, log_end: int, beginning: str) -> str:
    """Wait for a problem with this beginning, and return it. Problems result from IAM's decisions since `log_end`."""

    def find_problem() -> str | None:
        problems = platform.compare_grants(platform.decisions(log_end)).problems()
        return next((problem for problem in problems if problem.startswith(beginning)), None)

    return eventually(find_problem, f"the problem `{beginning}`")


def test_flows_and_schedules_use_every_grant_and_need_no_other(
    platform: Platform,
    verification: RecordedUse[Any],
    scheduled_runs: list[RecordedUse[Any]],
    ingestion_run: RecordedUse[Any],
) -> None:
    decisions = [decision for use in (verification, *scheduled_runs, ingestion_run) for decision in use.decisions]
    # A process of a function reads a secret only once. It may have done so in another test, before the flow.
    secret_decisions = [decision for decision in platform.decisions(0) if decision.action == "ssm:GetParameter"]
    assert platform.compare_grants([*decisions, *secret_decisions]).problems() == []


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "sqs:ReceiveMessage"])
def test_a_removed_grant_is_reported_with_its_role(
    platform: Platform, ingestion: DeployedIngestion, action: str
) -> None:
    expected_problem = f"used and not granted: polyphony-local-{BUILDER}: {action} on arn:aws:"
    with platform.changed_actions(BUILDER, removed=action):
        log_end = platform.decision_log_end()
        ingestion.upload("incoming/refused.ndjson", LINE)
        problem = wait_for_problem(platform, log_end, expected_problem)
    assert problem.endswith(AccessVerdict.IMPLICIT_DENY)


def test_an_added_grant_is_reported_as_never_used(platform: Platform, ingestion: DeployedIngestion) -> None:
    with platform.changed_actions(BUILDER, added="dynamodb:DeleteTable"):
        log_end = platform.decision_log_end()
        ingestion.upload("incoming/added.ndjson", LINE)
        ingestion.wait_until_tracked("incoming/added.ndjson")
        wait_for_problem(
            platform, log_end, f"granted and never used: polyphony-local-{BUILDER} may dynamodb:DeleteTable on *"
        )
