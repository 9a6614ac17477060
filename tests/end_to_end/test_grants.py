"""Tests that all flows together use every grant and need no other, and that missing and unused grants are reported."""

from typing import Any

import pytest

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from local.flows.ingestion_client import IngestionIntake
from tests.end_to_end.conftest import Platform, Played

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "ingestion-manifest-builder"


def wait_for_problem(platform: Platform, mark: int, beginning: str) -> str:
    """Wait until the decisions since the mark cause a problem with this beginning; return the problem."""

    def find_problem() -> str | None:
        problems = platform.grants_against(platform.decisions(mark)).problems()
        return next((problem for problem in problems if problem.startswith(beginning)), None)

    return eventually(find_problem, f"the problem `{beginning}`")


# Transcription must answer as fast as a person speaks, so its flow runs before Spark uses the CPU. The other flows run
# meanwhile.
@pytest.mark.usefixtures("transcription_played", "ingestion_playing")
def test_all_flows_use_every_grant_and_need_no_other(
    platform: Platform,
    transcription_played: Played[Any],
    voice_qa_played: Played[Any],
    livestream_played: Played[Any],
    meetings_played: Played[Any],
    ingestion_played: Played[Any],
) -> None:
    flows = (transcription_played, voice_qa_played, livestream_played, meetings_played, ingestion_played)
    decisions = [decision for each in flows for decision in each.decisions]
    # A function reads a secret once in each process, which another test may have caused before the flow.
    secrets = [decision for decision in platform.decisions(0) if decision.action == "ssm:GetParameter"]
    assert platform.grants_against([*decisions, *secrets]).problems() == []


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "sqs:ReceiveMessage", "sqs:DeleteMessage", "logs:PutLogEvents"])
def test_a_removed_grant_is_reported_with_its_role(platform: Platform, intake: IngestionIntake, action: str) -> None:
    refused = f"used and not granted: polyphony-local-{BUILDER}: {action} on arn:aws:"
    with platform.actions_of(BUILDER, without=action):
        mark = platform.mark()
        intake.upload("incoming/refused.ndjson")
        problem = wait_for_problem(platform, mark, refused)
    assert problem.endswith(AccessVerdict.IMPLICIT_DENY)


def test_an_added_grant_is_reported_as_never_used(platform: Platform, intake: IngestionIntake) -> None:
    with platform.actions_of(BUILDER, more="dynamodb:DeleteTable"):
        mark = platform.mark()
        intake.upload("incoming/added.ndjson")
        intake.wait_until_tracked("incoming/added.ndjson")
        wait_for_problem(
            platform, mark, f"granted and never used: polyphony-local-{BUILDER} may dynamodb:DeleteTable on *"
        )
