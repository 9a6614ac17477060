"""Who may do what in the livestream backend: one list for each role, the document's grants and those that were added."""

import pytest

from tests.components.livestream.deployment import BUCKET, PREFIX, TABLE, complete, livestream
from tests.components.subsystem import ACCOUNT, Permission, permissions, roles

OBJECTS = f"arn:aws:s3:::{BUCKET}"
ITEMS = f"arn:aws:dynamodb:{ACCOUNT}:table/{TABLE}"
LOGS = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/{PREFIX}"
OURS = '{"StringEquals": {"events:source": "polyphony.livestream"}}'


def runs(function: str) -> set[Permission]:
    """What every function needs to run: its own log lines, and traces."""
    return {
        ("logs:CreateLogStream", f"{LOGS}-{function}:*", None),
        ("logs:PutLogEvents", f"{LOGS}-{function}:*", None),
        ("xray:PutTelemetryRecords", "*", None),
        ("xray:PutTraceSegments", "*", None),
    }


DOCUMENTED: set[Permission] = {
    ("dynamodb:GetItem", ITEMS, None),
    ("dynamodb:PutItem", ITEMS, None),
    ("dynamodb:UpdateItem", ITEMS, None),
    ("dynamodb:Query", ITEMS, None),
    ("dynamodb:Query", f"{ITEMS}/index/GSI1", None),
    ("s3:PutObject", f"{OBJECTS}/videos/*", None),
    ("s3:PutObject", f"{OBJECTS}/transcripts/*", None),
}
"""What the document gives the functions for episodes."""
ADDED: dict[Permission, str] = {
    ("s3:GetObject", f"{OBJECTS}/videos/*", None): "an upload in parts is held to the size that was promised",
    (
        "ssm:GetParameter",
        f"arn:aws:ssm:{ACCOUNT}:parameter/{PREFIX}-cursors",
        None,
    ): "the environment names the key of cursors, and does not hold it",
    (
        "events:PutEvents",
        f"arn:aws:events:{ACCOUNT}:event-bus/default",
        OURS,
    ): "a deletion is told, so that what belongs to the episode goes too",
}
"""What the features need beyond that, each with its reason."""


VIDEOS_DOCUMENTED: set[Permission] = {
    ("dynamodb:UpdateItem", ITEMS, None),
    ("events:PutEvents", f"arn:aws:events:{ACCOUNT}:event-bus/default", OURS),
    ("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{ACCOUNT}:queues/Default", None),
    (
        "iam:PassRole",
        f"arn:aws:iam::123456789012:role/{PREFIX}-media-convert",
        '{"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}',
    ),
}
"""What the document gives the functions for events and for MediaConvert, as far as cutting needs it."""
VIDEOS_ADDED: dict[Permission, str] = {
    ("s3:GetObject", f"{OBJECTS}/chunks/*", None): "the playlist says how many chunks there are",
    **{
        (f"sqs:{action}", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-videos", None): "events come by a queue"
        for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
}
MEDIA_CONVERT_MAY: set[Permission] = {
    ("s3:GetObject", f"{OBJECTS}/videos/*", None),
    ("s3:GetObjectVersion", f"{OBJECTS}/videos/*", None),
    ("s3:PutObject", f"{OBJECTS}/chunks/*", None),
}


def test_each_role_may_do_what_is_listed_here_and_nothing_else() -> None:
    found = {role: permissions(complete(), role) for role in roles(complete())}
    assert found == {
        f"{PREFIX}-episodes": {*runs("episodes"), *DOCUMENTED, *ADDED},
        f"{PREFIX}-video-chunks": {*runs("video-chunks"), *VIDEOS_DOCUMENTED, *VIDEOS_ADDED},
        f"{PREFIX}-media-convert": MEDIA_CONVERT_MAY,
        f"{PREFIX}-authorizer": runs("authorizer"),
    }


@pytest.mark.parametrize("reason", [*ADDED.values(), *VIDEOS_ADDED.values()])
def test_each_addition_has_a_reason(reason: str) -> None:
    assert reason


def test_without_tokens_there_is_nobody_to_check_them() -> None:
    for authorizer in ("none", "apiKey"):
        found = livestream(api={"authorizer": authorizer})
        assert {role.removeprefix(f"{PREFIX}-") for role in roles(found)} == {
            "episodes",
            "video-chunks",
            "media-convert",
        }
