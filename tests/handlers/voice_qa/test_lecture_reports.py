"""Tests of the reports of lectures: the WebSocket handler and the lecture validator share one table here."""

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.common.json_models import Message
from tests.handlers.common.audio.sample_files import spoken
from tests.handlers.voice_qa.socket_harness import BOB, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LIMITS, NOW, LectureHarness

pytestmark = pytest.mark.media


@pytest.fixture
def validator(api: SocketHarness) -> LectureHarness:
    """Return a validator on the table of the WebSocket handler."""
    return LectureHarness(boto3.client("s3"), api.dynamodb)


def request_upload(api: SocketHarness, connection: str = "c1") -> dict[str, Any]:
    return api.send("upload", connection, kind="lecture", contentType="audio/mpeg")


def reports(validator: LectureHarness, connection: str = "c1") -> list[dict[str, Any]]:
    return validator.clients.sent_to(connection, "lecture")


def test_the_guest_who_uploads_a_lecture_is_told_when_it_is_ready(
    api: SocketHarness, validator: LectureHarness
) -> None:
    api.connect("c2", BOB)
    ready = request_upload(api)
    assert reports(validator) == []
    assert validator.handle(validator.put(spoken("mp3"), ready["key"])) == []
    [report] = reports(validator)
    assert report.pop("durationMs") == pytest.approx(12345, abs=60)
    assert report == {"type": "lecture", "lectureId": ready["lectureId"], "state": "ready"}
    assert set(validator.clients.inbox) == {"c1"}, "no other guest gets a report"


def test_a_rejected_lecture_is_reported_with_a_code_and_a_sentence(
    api: SocketHarness, validator: LectureHarness
) -> None:
    ready = request_upload(api)
    assert validator.handle(validator.put(b"no audio at all", ready["key"])) == []
    [report] = reports(validator)
    assert (report["state"], report["code"]) == ("rejected", "UNKNOWN_FORMAT")
    assert report["message"] == LIMITS.rejection("UNKNOWN_FORMAT").sentence  # type: ignore[arg-type]


def test_a_repeated_notification_sends_no_second_report(api: SocketHarness, validator: LectureHarness) -> None:
    uploaded = validator.put(spoken("mp3"), request_upload(api)["key"])
    validator.handle(uploaded)
    validator.handle(uploaded)
    assert len(reports(validator)) == 1


def test_a_lecture_of_an_operator_is_reported_to_nobody(validator: LectureHarness) -> None:
    assert validator.handle(validator.put(spoken("mp3"))) == []
    assert validator.clients.inbox == {}
    assert validator.item()["status"] == "ready"


def test_a_guest_who_connects_again_gets_the_report_there(api: SocketHarness, validator: LectureHarness) -> None:
    ready = request_upload(api)
    api.connect("c9")
    answer = api.send("lecture", "c9", lectureId=ready["lectureId"])
    assert answer == {"type": "lecture", "id": "m1", "lectureId": ready["lectureId"], "state": "pending"}
    validator.handle(validator.put(spoken("mp3"), ready["key"]))
    assert (len(reports(validator)), len(reports(validator, "c9"))) == (0, 1)


def test_a_guest_who_asks_after_the_validation_gets_the_state_in_the_answer(
    api: SocketHarness, validator: LectureHarness
) -> None:
    ready = request_upload(api)
    validator.clients.gone.add("c1")
    validator.handle(validator.put(spoken("mp3"), ready["key"]))
    assert reports(validator) == []
    assert api.send("lecture", lectureId=ready["lectureId"])["state"] == "ready"
    newer = validator.put(b"x", ready["key"], NOW + timedelta(seconds=5))
    validator.handle(newer)
    assert api.send("lecture", lectureId=ready["lectureId"])["code"] == "UNKNOWN_FORMAT"


@pytest.mark.parametrize("known", [True, False])
def test_another_guest_cannot_take_over_the_report(
    api: SocketHarness, validator: LectureHarness, *, known: bool
) -> None:
    """A foreign lecture and an unknown one get the same answer."""
    ready = request_upload(api)
    api.connect("c2", BOB)
    lecture_id = ready["lectureId"] if known else "01K8PFVZQ0A1B2C3D4E5F6G7H8"
    answer = api.send("lecture", "c2", lectureId=lecture_id)
    assert (answer["type"], answer["code"]) == ("error", "LECTURE_UNKNOWN")
    validator.handle(validator.put(spoken("mp3"), ready["key"]))
    assert set(validator.clients.inbox) == {"c1"}


def test_asking_for_an_unknown_lecture_creates_no_item(api: SocketHarness) -> None:
    before = api.stored()
    api.send("lecture", lectureId="01K8PFVZQ0A1B2C3D4E5F6G7H8")
    assert api.stored() == before


def test_a_failed_post_does_not_repeat_or_undo_the_validation(
    api: SocketHarness, validator: LectureHarness, caplog: pytest.LogCaptureFixture
) -> None:
    posts: list[str] = []

    def fail(connection: str, _: Message) -> None:
        posts.append(connection)
        raise ClientError({"Error": {"Code": "Forbidden", "Message": "canary"}}, "PostToConnection")

    validator.clients.before_post = fail
    ready = request_upload(api)
    assert validator.handle(validator.put(spoken("mp3"), ready["key"])) == [], "the message is not delivered again"
    assert posts == ["c1"]
    assert validator.item(ready["lectureId"])["status"] == "ready"
    assert "lecture_not_reported" in caplog.text
    assert "canary" not in caplog.text


def test_a_transient_failure_of_the_post_is_retried(api: SocketHarness, validator: LectureHarness) -> None:
    failures = iter([True, False])

    def fail_once(*_: object) -> None:
        if next(failures):
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "PostToConnection")

    validator.clients.before_post = fail_once
    validator.handle(validator.put(spoken("mp3"), request_upload(api)["key"]))
    assert len(reports(validator)) == 1
