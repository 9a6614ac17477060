"""Upload forms (presigned POSTs to S3) for lectures and spoken questions: their signed limits, and refused requests.

A lecture report is a message with the state of an uploaded lecture, for the guest who uploads it.
"""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from handlers.voice_qa.records import LectureTable
from tests.handlers.voice_qa.socket_harness import ANN_GUEST_ID, BOB_GUEST_ID, BOB_IDENTITY, ENVIRONMENT, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE, LectureHarness, silence

UNKNOWN_LECTURE_ID = "01K8PFVZQ0A1B2C3D4E5F6G7H8"


def policy(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the decoded policy of a form, which S3 checks at the upload."""
    decoded: dict[str, Any] = json.loads(base64.b64decode(answer["fields"]["policy"]))
    return decoded


def test_a_form_has_a_limited_lifetime(api: SocketHarness) -> None:
    answer = api.send("upload", kind="query", contentType="audio/webm")
    signed_at = datetime.strptime(answer["fields"]["x-amz-date"], "%Y%m%dT%H%M%S%z")
    lifetime = datetime.fromisoformat(policy(answer)["expiration"]) - signed_at
    assert abs(lifetime - timedelta(seconds=ENVIRONMENT.url_seconds)) <= timedelta(seconds=2)


def test_a_spoken_question_is_uploaded_below_the_guests_own_prefix_and_can_be_asked(api: SocketHarness) -> None:
    first, second = (api.send("upload", kind="query", contentType="audio/ogg") for _ in range(2))
    assert first["key"] != second["key"]
    assert "lectureId" not in first
    assert len(api.stored_items()) == 2, "the form of a question stores no item beside the lecture and the connection"
    assert api.ask(text=None, audioKey=first["key"])["type"] == "queryAccepted"


@pytest.mark.parametrize(("kind", "max_bytes"), [("query", 10_000_000), ("lecture", ENVIRONMENT.max_lecture_bytes)])
def test_a_form_is_limited_to_one_key_one_type_and_a_size(api: SocketHarness, kind: str, max_bytes: int) -> None:
    answer = api.send("upload", kind=kind, contentType="audio/webm")
    fields = answer["fields"]
    assert (answer["type"], answer["kind"], answer["id"]) == ("uploadReady", kind, "m1")
    assert (answer["maxBytes"], answer["expiresSeconds"]) == (max_bytes, ENVIRONMENT.url_seconds)
    assert (fields["key"], fields["Content-Type"]) == (answer["key"], "audio/webm")
    conditions = policy(answer)["conditions"]
    assert {"Content-Type": "audio/webm"} in conditions
    assert {"bucket": BUCKET} in conditions
    assert {"key": answer["key"]} in conditions
    assert [condition for condition in conditions if isinstance(condition, list)] == [
        ["content-length-range", 1, max_bytes]
    ], "no condition is a prefix match"


def test_a_lectures_item_keeps_its_first_owner_and_has_no_time_to_live(api: SocketHarness) -> None:
    lecture = api.send("upload", kind="lecture", contentType="audio/mpeg")["lectureId"]
    LectureTable(api.dynamodb, TABLE).store_owner(lecture, BOB_GUEST_ID)
    [item] = api.items_of("lecture", lecture)
    assert item["owner"] == {"S": ANN_GUEST_ID}
    assert "expiresAt" not in item
    assert api.ask(lectureId=lecture)["code"] == "LECTURE_NOT_READY"


def test_a_lecture_form_is_refused_if_guests_may_not_upload_lectures(api: SocketHarness) -> None:
    api = SocketHarness(api.dynamodb, environment=ENVIRONMENT.model_copy(update={"lecture_uploads": "off"}))
    before = api.stored_items()
    assert api.send("upload", kind="lecture", contentType="audio/mpeg")["code"] == "UPLOAD_REFUSED"
    assert api.stored_items() == before
    assert api.send("upload", kind="query", contentType="audio/mpeg")["type"] == "uploadReady"


def test_the_number_of_a_guests_lectures_per_day_is_limited(api: SocketHarness) -> None:
    answers = [api.send("upload", kind="lecture", contentType="audio/ogg") for _ in range(4)]
    assert [answer["type"] for answer in answers] == ["uploadReady"] * 3 + ["error"]
    assert answers[-1]["code"] == "UPLOAD_REFUSED"
    next_day_ms = 20_371 * 86_400_000
    for now_ms, kind in ((next_day_ms - 1, "error"), (next_day_ms, "uploadReady")):
        api.clock.now_ms = now_ms
        assert api.send("upload", kind="lecture", contentType="audio/ogg")["type"] == kind


def connect_uploader(lectures: LectureHarness) -> tuple[SocketHarness, dict[str, Any]]:
    """Return a WebSocket handler on the table of the lecture validator, and the form that a guest requested."""
    api = SocketHarness(lectures.dynamodb)
    api.connect()
    return api, api.send("upload", kind="lecture", contentType="audio/mpeg")


def test_the_uploading_guest_can_ask_whether_a_lecture_is_ready(lectures: LectureHarness) -> None:
    api, form = connect_uploader(lectures)
    report = {"type": "lecture", "id": "m1", "lectureId": form["lectureId"]}
    assert api.send("lecture", lectureId=form["lectureId"]) == {**report, "state": "pending"}
    assert lectures.handle(lectures.put(silence(12_345), form["key"])) == []
    api.connect("c2")
    answer = api.send("lecture", "c2", lectureId=form["lectureId"])
    assert answer == {**report, "state": "ready", "durationMs": 12_345}


def test_the_report_of_a_rejected_lecture_has_a_code_and_a_sentence(lectures: LectureHarness) -> None:
    api, form = connect_uploader(lectures)
    assert lectures.handle(lectures.put(b"no audio at all", form["key"])) == []
    report = api.send("lecture", lectureId=form["lectureId"])
    assert (report["state"], report["code"], "durationMs" in report) == ("rejected", "UNKNOWN_FORMAT", False)
    assert report["message"].startswith("The format of the file is unknown. Allowed formats: mp3, ")


@pytest.mark.parametrize("exists", [True, False])
def test_another_guest_cannot_get_the_report(lectures: LectureHarness, *, exists: bool) -> None:
    """The answer is the same for another guest's lecture and for an unknown one, which gets no item."""
    api, form = connect_uploader(lectures)
    api.connect("c2", BOB_IDENTITY)
    before = api.stored_items()
    answer = api.send("lecture", "c2", lectureId=form["lectureId"] if exists else UNKNOWN_LECTURE_ID)
    assert (answer["type"], answer["code"]) == ("error", "LECTURE_UNKNOWN")
    assert api.stored_items() == before
