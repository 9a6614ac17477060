"""End-to-end tests that the `requestId` of an error leads to one line of the log and one place in the code.

A test removes a grant, so that a call of AWS fails inside a function. Then it does what `docs/runbooks/functions.md` says.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import ROOT
from local.flows import eventually
from local.flows.transcription_client import Speaker
from tests.end_to_end.backends import DeployedLivestream, DeployedTranscription
from tests.end_to_end.platform_under_test import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
UNKNOWN_EPISODE = "01K8PFVZQ0A1B2C3D4E5F6G7H8"


def request_failed_at_rest(platform: Platform) -> dict[str, Any]:
    """Return the error that a client gets from a REST API whose function may not read its table."""
    livestream = DeployedLivestream(platform.deployment)
    with platform.changed_actions("livestream-episodes", removed="dynamodb:GetItem"):
        answer = livestream.ask("GET", f"/episodes/{UNKNOWN_EPISODE}")
    assert answer.status == 500
    error: dict[str, Any] = answer.body
    return error


def request_failed_at_websocket(platform: Platform) -> dict[str, Any]:
    """Return the error that a client gets from a WebSocket API whose function may not read its table."""
    with Speaker(DeployedTranscription(platform.deployment)) as speaker:
        speaker.open()
        with platform.changed_actions("transcription-router", removed="dynamodb:GetItem"):
            return speaker.say("u1", "sky")


@pytest.mark.parametrize(
    ("function", "fail", "message", "route"),
    [
        ("livestream-episodes", request_failed_at_rest, "request_failed", "getEpisode"),
        ("transcription-router", request_failed_at_websocket, "message_failed", "audio"),
    ],
)
def test_a_request_id_leads_to_one_line_and_one_place_in_the_code(
    platform: Platform, function: str, fail: Callable[[Platform], dict[str, Any]], message: str, route: str
) -> None:
    error = fail(platform)
    assert error["code"] == "INTERNAL"

    def find_lines() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in platform.log_lines(function) if error["requestId"] in line]
        return [line for line in lines if line.get("level") == "ERROR"]

    [line] = eventually(lambda: find_lines() or None, "the line of the failed request")
    assert (line["message"], line["request_id"], line["route"]) == (message, error["requestId"], route)
    assert (line["error_type"], line["aws_operation"]) == ("ClientError", "dynamodb.GetItem")
    assert line["aws_code"] == "AccessDeniedException"
    file, _, number = line["frames"].split(" > ")[-1].rpartition(":")
    assert ".get_item(" in (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1]
