"""Lecture reports: messages with the state of an uploaded lecture, only for the guest who uploads it.

The lecture validator posts a report after it has validated the lecture. The WebSocket handler, which shares the table
with the validator, answers a request for the state.
"""

from typing import Any

import pytest

from tests.handlers.common.fakes import client_error
from tests.handlers.voice_qa.socket_harness import BOB_IDENTITY, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LectureHarness, silence

LECTURE = silence(12_345)
UNKNOWN_LECTURE_ID = "01K8PFVZQ0A1B2C3D4E5F6G7H8"


@pytest.fixture
def api(lectures: LectureHarness) -> SocketHarness:
    """Return a WebSocket handler on the table of the validator, with a connected guest."""
    harness = SocketHarness(lectures.dynamodb)
    harness.connect()
    return harness


def request_upload(api: SocketHarness) -> dict[str, Any]:
    return api.send("upload", kind="lecture", contentType="audio/mpeg")


def test_the_guest_who_uploads_a_lecture_gets_a_report_of_it(api: SocketHarness, lectures: LectureHarness) -> None:
    api.connect("c2", BOB_IDENTITY)
    form = request_upload(api)
    assert lectures.handle(lectures.put(LECTURE, form["key"])) == []
    report = {"type": "lecture", "lectureId": form["lectureId"], "state": "ready", "durationMs": 12_345}
    assert lectures.clients.inbox == {"c1": [report]}, "no other guest gets a report"


def test_a_rejected_lecture_is_reported_with_code_and_sentence(api: SocketHarness, lectures: LectureHarness) -> None:
    form = request_upload(api)
    assert lectures.handle(lectures.put(b"no audio at all", form["key"])) == []
    [report] = lectures.clients.sent_to("c1", "lecture")
    assert (report["state"], report["code"]) == ("rejected", "UNKNOWN_FORMAT")
    assert report["message"].startswith("The format of the file is unknown. Allowed formats: mp3, ")
    api.connect("c2")
    assert api.send("lecture", "c2", lectureId=form["lectureId"]) == {**report, "id": "m1"}


def test_a_lecture_of_an_operator_is_not_reported(lectures: LectureHarness) -> None:
    assert lectures.handle(lectures.put(LECTURE)) == []
    assert (lectures.clients.inbox, lectures.item()["status"]) == ({}, "ready")


def test_a_guest_who_reconnects_gets_the_report_on_the_new_connection(
    api: SocketHarness, lectures: LectureHarness
) -> None:
    form = request_upload(api)
    api.connect("c9")
    answer = api.send("lecture", "c9", lectureId=form["lectureId"])
    assert answer == {"type": "lecture", "id": "m1", "lectureId": form["lectureId"], "state": "pending"}
    lectures.handle(lectures.put(LECTURE, form["key"]))
    assert [*lectures.clients.inbox] == ["c9"]


@pytest.mark.parametrize("exists", [True, False])
def test_another_guest_cannot_get_the_report(api: SocketHarness, lectures: LectureHarness, *, exists: bool) -> None:
    """The answer is the same for another guest's lecture and for an unknown one, which gets no item."""
    form = request_upload(api)
    api.connect("c2", BOB_IDENTITY)
    before = api.stored_items()
    answer = api.send("lecture", "c2", lectureId=form["lectureId"] if exists else UNKNOWN_LECTURE_ID)
    assert (answer["type"], answer["code"]) == ("error", "LECTURE_UNKNOWN")
    assert api.stored_items() == before
    lectures.handle(lectures.put(LECTURE, form["key"]))
    assert [*lectures.clients.inbox] == ["c1"]


def test_a_report_that_cannot_be_posted_is_logged_and_the_lecture_stays_ready(
    api: SocketHarness, lectures: LectureHarness, caplog: pytest.LogCaptureFixture
) -> None:
    lectures.clients.failures = [client_error("Forbidden", operation="PostToConnection")]
    form = request_upload(api)
    assert lectures.handle(lectures.put(LECTURE, form["key"])) == [], "no notification is redelivered"
    assert lectures.clients.failures == []
    assert api.send("lecture", lectureId=form["lectureId"])["state"] == "ready"
    assert "lecture_not_reported" in caplog.text
    assert "canary" not in caplog.text
