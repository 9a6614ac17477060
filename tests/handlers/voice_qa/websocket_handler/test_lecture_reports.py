"""Lecture reports: messages with the state of an uploaded lecture, only for the guest who uploads it.

The WebSocket handler shares the table with the lecture validator, which writes the state.
"""

from typing import Any

import pytest

from tests.handlers.voice_qa.socket_harness import BOB_IDENTITY, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LectureHarness, silence

UNKNOWN_LECTURE_ID = "01K8PFVZQ0A1B2C3D4E5F6G7H8"


@pytest.fixture
def api(lectures: LectureHarness) -> SocketHarness:
    """Return a WebSocket handler on the table of the validator, with a connected guest."""
    harness = SocketHarness(lectures.dynamodb)
    harness.connect()
    return harness


def request_upload(api: SocketHarness) -> dict[str, Any]:
    return api.send("upload", kind="lecture", contentType="audio/mpeg")


def test_the_uploading_guest_can_ask_whether_a_lecture_is_ready(api: SocketHarness, lectures: LectureHarness) -> None:
    form = request_upload(api)
    report = {"type": "lecture", "id": "m1", "lectureId": form["lectureId"]}
    assert api.send("lecture", lectureId=form["lectureId"]) == {**report, "state": "pending"}
    assert lectures.handle(lectures.put(silence(12_345), form["key"])) == []
    api.connect("c2")
    answer = api.send("lecture", "c2", lectureId=form["lectureId"])
    assert answer == {**report, "state": "ready", "durationMs": 12_345}


def test_the_report_of_a_rejected_lecture_has_a_code_and_a_sentence(
    api: SocketHarness, lectures: LectureHarness
) -> None:
    form = request_upload(api)
    assert lectures.handle(lectures.put(b"no audio at all", form["key"])) == []
    report = api.send("lecture", lectureId=form["lectureId"])
    assert (report["state"], report["code"], "durationMs" in report) == ("rejected", "UNKNOWN_FORMAT", False)
    assert report["message"].startswith("The format of the file is unknown. Allowed formats: mp3, ")


@pytest.mark.parametrize("exists", [True, False])
def test_another_guest_cannot_get_the_report(api: SocketHarness, *, exists: bool) -> None:
    """The answer is the same for another guest's lecture and for an unknown one, which gets no item."""
    form = request_upload(api)
    api.connect("c2", BOB_IDENTITY)
    before = api.stored_items()
    answer = api.send("lecture", "c2", lectureId=form["lectureId"] if exists else UNKNOWN_LECTURE_ID)
    assert (answer["type"], answer["code"]) == ("error", "LECTURE_UNKNOWN")
    assert api.stored_items() == before
