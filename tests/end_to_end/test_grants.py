"""Every flow together uses every grant and lacks none; one that is missing, or that nobody needs, is named."""

from typing import Any

import pytest

from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from local.flows.ingestion_client import Intake
from local.flows.transcription_client import Speaker
from tests.end_to_end.conftest import Platform, Played

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "ingestion-manifest-builder"
PROCESSOR = "transcription-audio-processor"


# Transcription answers as fast as one speaks: it is played before Spark takes the processor, the others meanwhile.
@pytest.mark.usefixtures("transcription_played", "ingestion_playing")
def test_no_grant_is_missing_and_none_is_for_nothing(
    platform: Platform,
    transcription_played: Played[Any],
    voice_qa_played: Played[Any],
    livestream_played: Played[Any],
    meetings_played: Played[Any],
    ingestion_played: Played[Any],
) -> None:
    played = (transcription_played, voice_qa_played, livestream_played, meetings_played, ingestion_played)
    decisions = [one for each in played for one in each.decisions]
    assert platform.grants_against(decisions).problems() == []


@pytest.mark.parametrize("action", ["transcription-live", "execute-api"])
def test_without_a_grant_a_live_caption_does_not_come_and_the_role_is_named(platform: Platform, action: str) -> None:
    """Either cuts the processor off: from the table of places, or from its clients."""
    removed, policy = {
        "transcription-live": ("dynamodb:UpdateItem", "grants"),
        "execute-api": ("execute-api:ManageConnections", "grants-2"),
    }[action]
    with (
        platform.actions_of(PROCESSOR, without=removed, policy=policy),
        Speaker(platform.outputs["frontend"]["transcription"]["url"]) as speaker,
    ):
        mark = platform.mark()
        speaker.open()
        speaker.say("u1", "hello world")
        refused = f"used and not granted: polyphony-local-{PROCESSOR}: {removed} on arn:aws:"
        eventually(
            lambda: [one for one in platform.grants_against_use(mark).problems() if one.startswith(refused)] or None,
            f"a refused {removed}",
        )


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "sqs:ReceiveMessage", "sqs:DeleteMessage", "logs:PutLogEvents"])
def test_a_removed_grant_is_named_with_its_role(platform: Platform, intake: Intake, action: str) -> None:
    refused = f"used and not granted: polyphony-local-{BUILDER}: {action} on arn:aws:"
    with platform.actions_of(BUILDER, without=action):
        mark = platform.mark()
        intake.drop("incoming/refused.ndjson")
        [problem, *_] = eventually(
            lambda: [one for one in platform.grants_against_use(mark).problems() if one.startswith(refused)] or None,
            f"a refused {action}",
        )
    assert problem.endswith(AccessVerdict.IMPLICIT_DENY)


def test_an_added_grant_is_reported_as_never_used(platform: Platform, intake: Intake) -> None:
    with platform.actions_of(BUILDER, more="dynamodb:DeleteTable"):
        mark = platform.mark()
        intake.drop("incoming/added.ndjson")
        intake.tracked("incoming/added.ndjson")
        problems = platform.grants_against_use(mark).problems()
    unused = f"granted and never used: polyphony-local-{BUILDER} may dynamodb:DeleteTable on *"
    assert [one for one in problems if one.startswith(unused)]
