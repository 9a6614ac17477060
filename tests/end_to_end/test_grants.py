"""Grants against use, after every flow was driven: none too many, none missing."""

import pytest

from local.flows import eventually
from local.flows.ingestion import Intake
from local.iam.evaluator import Verdict
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "ingestion-manifest-builder"


def every_flow(intake: Intake, key: str) -> None:
    intake.drop(key)
    intake.tracked(key)
    intake.emptied()


def test_every_grant_is_used_or_its_reason_is_reviewed(platform: Platform, intake: Intake) -> None:
    mark = platform.mark()
    every_flow(intake, "incoming/grants.ndjson")
    found = platform.grants_against_use(mark)
    assert found.problems() == []
    assert {one.action for one in found.used} >= {"dynamodb:PutItem", "sqs:DeleteMessage", "logs:PutLogEvents"}


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "sqs:ReceiveMessage", "sqs:DeleteMessage", "logs:PutLogEvents"])
def test_a_removed_grant_is_named_with_its_role(platform: Platform, intake: Intake, action: str) -> None:
    with platform.actions_of(BUILDER, without=action):
        mark = platform.mark()
        intake.drop("incoming/refused.ndjson")
        [problem, *_] = eventually(
            lambda: [one for one in platform.grants_against_use(mark).problems() if action in one] or None,
            f"a refused {action}",
        )
    assert problem.startswith(f"used and not granted: polyphony-local-{BUILDER}: {action} on arn:aws:")
    assert problem.endswith(Verdict.IMPLICIT_DENY)


def test_an_added_grant_is_reported_as_never_used(platform: Platform, intake: Intake) -> None:
    with platform.actions_of(BUILDER, more="dynamodb:DeleteTable"):
        mark = platform.mark()
        every_flow(intake, "incoming/added.ndjson")
        [problem] = platform.grants_against_use(mark).problems()
    assert problem.startswith(f"granted and never used: polyphony-local-{BUILDER} may dynamodb:DeleteTable on *")
