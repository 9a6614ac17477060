"""Tests that the permissions of all roles (their grants) are exactly those that the platform uses.

A *flow* is a program that uses one backend from end to end. Schedules and failures need more permissions. The tests
also show that a missing or unused grant is reported.
"""

import pytest

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from tests.end_to_end.conftest import PlatformUse
from tests.end_to_end.deployed_ingestion import LINE, DeployedIngestion
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "polyphony-local-ingestion-manifest-builder"


@pytest.mark.usefixtures("ingestion_run")
def test_flows_and_schedules_use_every_grant_and_need_no_other(
    platform: Platform,
    platform_use: PlatformUse,
) -> None:
    # The run of ingestion started with the platform. A process of a function reads a secret only once. It may have done
    # so in another test, before the flow.
    earlier_decisions = [
        decision
        for decision in platform.decisions(0)
        if "-ingestion-" in decision.role or decision.action == "ssm:GetParameter"
    ]
    assert platform.compare_grants([*platform_use.decisions, *earlier_decisions]).problems() == []


def test_a_removed_grant_and_an_unused_one_are_reported_with_their_role(
    platform: Platform, ingestion: DeployedIngestion
) -> None:
    log_end = platform.decision_log_end()

    def find_refused() -> str | None:
        problems = platform.compare_grants(platform.decisions(log_end)).problems()
        assert any(
            f"granted and never used: {BUILDER} may dynamodb:DeleteTable on *" in problem for problem in problems
        )
        refused = f"used and not granted: {BUILDER}: dynamodb:PutItem on arn:aws:"
        return next((problem for problem in problems if problem.startswith(refused)), None)

    with platform.changed_actions(
        "ingestion-manifest-builder", removed="dynamodb:PutItem", added="dynamodb:DeleteTable"
    ):
        ingestion.upload("incoming/refused.ndjson", LINE)
        assert eventually(find_refused, "the refused action").endswith(AccessVerdict.IMPLICIT_DENY)
