"""A grant that is missing, or that nobody needs, is named. (That there is none is asserted where every flow is driven.)"""

import pytest

from local.flows import eventually
from local.flows.ingestion import Intake
from local.iam.evaluator import Verdict
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
BUILDER = "ingestion-manifest-builder"


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
    assert problem.endswith(Verdict.IMPLICIT_DENY)


def test_an_added_grant_is_reported_as_never_used(platform: Platform, intake: Intake) -> None:
    with platform.actions_of(BUILDER, more="dynamodb:DeleteTable"):
        mark = platform.mark()
        intake.drop("incoming/added.ndjson")
        intake.tracked("incoming/added.ndjson")
        problems = platform.grants_against_use(mark).problems()
    unused = f"granted and never used: polyphony-local-{BUILDER} may dynamodb:DeleteTable on *"
    assert [one for one in problems if one.startswith(unused)]
