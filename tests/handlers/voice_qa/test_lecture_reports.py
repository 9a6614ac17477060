"""Lecture reports: messages with the state of an uploaded lecture, only for the guest who uploads it.

The lecture validator posts a report after it has validated the lecture. The WebSocket handler, which shares the table
with the validator, answers a request for the state.
"""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.handlers.voice_qa.socket_harness import BOB_IDENTITY, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LectureHarness, spoken

pytestmark = pytest.mark.media


@pytest.fixture
def validator(api: SocketHarness) -> LectureHarness:
    """Return a validator on the table of the WebSocket handler."""
    return LectureHarness(boto3.client("s3"), api.dynamodb)


def request_upload(api: SocketHarness, connection: str = "c1") -> dict[str, Any]:
    return api.send("upload", connection, kind="lecture", contentType="audio/mpeg")


def received_reports(validator: LectureHarness, connection: str = "c1") -> list[dict[str, Any]]:
    return validator.clients.sent_to(connection, "lecture")


def test_the_guest_who_uploads_a_lecture_gets_a_report_of_it(api: SocketHarness, validator: LectureHarness) -> None:
    api.connect("c2", BOB_IDENTITY)
    form = request_upload(api)
    assert received_reports(validator) == []
    assert validator.handle(validator.put(spoken("mp3"), form["key"])) == []
    [report] = received_reports(validator)
    assert report.pop("durationMs") == pytest.approx(12345, abs=60)
    assert report == {"type": "lecture", "lectureId": form["lectureId"], "state": "ready"}
    assert set(validator.clients.inbox) == {"c1"}, "no other guest gets a report"


def test_a_rejected_lecture_is_reported_with_code_and_sentence(api: SocketHarness, validator: LectureHarness) -> None:
    form = request_upload(api)
    assert validator.handle(validator.put(b"no audio at all", form["key"])) == []
    [report] = received_reports(validator)
    assert (report["state"], report["code"]) == ("rejected", "UNKNOWN_FORMAT")
    assert report["message"].startswith("The format of the file is unknown. Allowed formats: mp3, ")


def test_a_lecture_of_an_operator_is_not_reported(validator: LectureHarness) -> None:
    assert validator.handle(validator.put(spoken("mp3"))) == []
    assert validator.clients.inbox == {}
    assert validator.item()["status"] == "ready"


def test_a_guest_who_reconnects_gets_the_report_on_the_new_connection(
    api: SocketHarness, validator: LectureHarness
) -> None:
    form = request_upload(api)
    api.connect("c9")
    answer = api.send("lecture", "c9", lectureId=form["lectureId"])
    assert answer == {"type": "lecture", "id": "m1", "lectureId": form["lectureId"], "state": "pending"}
    validator.handle(validator.put(spoken("mp3"), form["key"]))
    assert (len(received_reports(validator)), len(received_reports(validator, "c9"))) == (0, 1)


def test_a_guest_who_asks_after_the_validation_gets_the_state_in_the_answer(
    api: SocketHarness, validator: LectureHarness
) -> None:
    form = request_upload(api)
    validator.clients.gone.add("c1")
    validator.handle(validator.put(spoken("mp3"), form["key"]))
    assert received_reports(validator) == []
    assert api.send("lecture", lectureId=form["lectureId"])["state"] == "ready"
    validator.handle(validator.put(b"x", form["key"]))
    assert api.send("lecture", lectureId=form["lectureId"])["code"] == "UNKNOWN_FORMAT"


@pytest.mark.parametrize("exists", [True, False])
def test_another_guest_cannot_get_the_report(api: SocketHarness, validator: LectureHarness, *, exists: bool) -> None:
    """The answer is the same for another guest's lecture and for an unknown one."""
    form = request_upload(api)
    api.connect("c2", BOB_IDENTITY)
    lecture_id = form["lectureId"] if exists else "01K8PFVZQ0A1B2C3D4E5F6G7H8"
    answer = api.send("lecture", "c2", lectureId=lecture_id)
    assert (answer["type"], answer["code"]) == ("error", "LECTURE_UNKNOWN")
    validator.handle(validator.put(spoken("mp3"), form["key"]))
    assert set(validator.clients.inbox) == {"c1"}


def test_a_request_for_an_unknown_lecture_creates_no_item(api: SocketHarness) -> None:
    before = api.stored_items()
    api.send("lecture", lectureId="01K8PFVZQ0A1B2C3D4E5F6G7H8")
    assert api.stored_items() == before


def test_a_report_that_cannot_be_posted_is_logged_and_the_lecture_stays_ready(
    api: SocketHarness, validator: LectureHarness, caplog: pytest.LogCaptureFixture
) -> None:
    validator.clients.failures = [
        ClientError({"Error": {"Code": "Forbidden", "Message": "canary"}}, "PostToConnection")
    ]
    form = request_upload(api)
    assert validator.handle(validator.put(spoken("mp3"), form["key"])) == [], "no notification is redelivered"
    assert validator.clients.failures == []
    assert validator.item(form["lectureId"])["status"] == "ready"
    assert "lecture_not_reported" in caplog.text
    assert "canary" not in caplog.text
