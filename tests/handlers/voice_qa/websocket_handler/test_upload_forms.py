"""Upload forms, decoded: the limits that S3 enforces."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.audio.probe_result import AudioFile, AudioFormat
from handlers.common.aws.client_config import build_presigning_config
from handlers.common.aws.s3_notifications import NewObject
from handlers.common.time_and_ids.ulid import ALPHABET
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.lecture_upload_rules import LectureStatus, LectureVerdict, parse_upload
from handlers.voice_qa.table_records import DAY_MS
from handlers.voice_qa.websocket_handler.upload_forms import is_own_query
from tests.handlers.voice_qa.socket_harness import ANN_ID, BOB_ID, LIMITS, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE

NOW = datetime(2026, 1, 3, tzinfo=UTC)
ULID = "01ARYZ6S410000000000000001"


def policy(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the signed policy."""
    decoded: dict[str, Any] = json.loads(base64.b64decode(answer["fields"]["policy"]))
    return decoded


def test_a_form_has_a_limited_lifetime(api: SocketHarness) -> None:
    answer = api.send("upload", kind="query", contentType="audio/webm")
    begins = datetime.strptime(answer["fields"]["x-amz-date"], "%Y%m%dT%H%M%S%z")
    lasts = datetime.fromisoformat(policy(answer)["expiration"]) - begins
    assert abs(lasts - timedelta(seconds=LIMITS.url_seconds)) <= timedelta(seconds=2)


def test_a_spoken_question_is_uploaded_below_the_guests_own_prefix_and_can_be_asked(api: SocketHarness) -> None:
    first, second = (api.send("upload", kind="query", contentType="audio/ogg") for _ in range(2))
    assert is_own_query(ANN_ID, first["key"])
    assert first["key"] != second["key"]
    assert "lectureId" not in first
    assert len(api.stored()) == 2, "only the lecture and the connection: the upload of a question stores no item"
    assert api.ask(text=None, audioKey=first["key"])["type"] == "queryAccepted"


@pytest.mark.parametrize(("kind", "most"), [("query", LIMITS.max_query_bytes), ("lecture", LIMITS.max_lecture_bytes)])
def test_a_form_is_limited_to_one_key_one_type_and_a_size(api: SocketHarness, kind: str, most: int) -> None:
    answer = api.send("upload", kind=kind, contentType="audio/webm")
    fields = answer["fields"]
    assert (answer["type"], answer["kind"], answer["id"]) == ("uploadReady", kind, "m1")
    assert (answer["maxBytes"], answer["expiresSeconds"]) == (most, LIMITS.url_seconds)
    assert (fields["key"], fields["Content-Type"]) == (answer["key"], "audio/webm")
    conditions = policy(answer)["conditions"]
    assert {"Content-Type": "audio/webm"} in conditions
    assert ["content-length-range", 1, most] in conditions
    assert {"bucket": BUCKET} in conditions
    assert {"key": answer["key"]} in conditions
    loose = [
        condition for condition in conditions if isinstance(condition, list) and condition[0] != "content-length-range"
    ]
    assert loose == [], "no condition is a prefix match"


def test_a_lectures_item_names_its_owner_and_has_no_time_to_live(api: SocketHarness) -> None:
    lecture = api.send("upload", kind="lecture", contentType="audio/mpeg")["lectureId"]
    [item] = [item for item in api.stored() if item["sessionId"]["S"] == f"lecture#{lecture}"]
    assert item == {
        "sessionId": {"S": f"lecture#{lecture}"},
        "lectureId": {"S": lecture},
        "owner": {"S": ANN_ID},
        "schema_version": {"N": "1"},
        "listener": {"S": "c1"},
    }
    assert api.ask(lectureId=lecture)["code"] == "LECTURE_NOT_READY"


def test_a_lecture_is_uploaded_to_the_validated_prefix_and_keeps_its_owner(api: SocketHarness) -> None:
    answer = api.send("upload", kind="lecture", contentType="audio/mpeg")
    uploaded = NewObject(bucket=BUCKET, key=answer["key"], version_id="v1", size=9, etag="e1", arrived=NOW)
    upload = parse_upload(uploaded)
    assert upload is not None
    assert (upload.lecture_id, upload.misplaced) == (answer["lectureId"], False)
    table = LectureTable(api.dynamodb, TABLE)
    verdict = LectureVerdict(LectureStatus.READY, audio=AudioFile(AudioFormat.MP3, "mp3", 60_000))
    assert table.write_verdict(upload, verdict, table.find_upload(upload.lecture_id), NOW)
    assert api.ask(lectureId=answer["lectureId"])["type"] == "queryAccepted"
    table.store_owner(upload.lecture_id, BOB_ID, "c2")
    [item] = [item for item in api.stored() if item["sessionId"]["S"] == f"lecture#{upload.lecture_id}"]
    assert (item["owner"]["S"], item["status"]["S"], item["format"]["S"]) == (ANN_ID, "ready", "mp3")


def test_without_guest_uploads_no_lecture_is_created(api: SocketHarness) -> None:
    api = SocketHarness(api.dynamodb, limits=LIMITS.model_copy(update={"lecture_uploads": "off"}))
    before = api.stored()
    assert api.send("upload", kind="lecture", contentType="audio/mpeg")["code"] == "UPLOAD_REFUSED"
    assert api.stored() == before
    assert api.send("upload", kind="query", contentType="audio/mpeg")["type"] == "uploadReady"


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "song", "contentType": "audio/ogg"},
        {"kind": "query", "contentType": "text/html"},
    ],
)
def test_other_kinds_and_content_types_are_refused(api: SocketHarness, content: dict[str, Any]) -> None:
    assert api.send("upload", **content)["code"] == "MALFORMED"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
@pytest.mark.parametrize(("accelerated", "host"), [(False, "s3.{region}"), (True, "s3-accelerate")])
def test_form_urls_name_the_region_or_the_edge_and_use_the_current_signature_version(
    region: str, host: str, *, accelerated: bool
) -> None:
    config = build_presigning_config(accelerated=accelerated)
    client = boto3.client("s3", region_name=region, config=config, aws_access_key_id="a", aws_secret_access_key="b")
    post = client.generate_presigned_post(BUCKET, "k")
    assert post["url"] == f"https://{BUCKET}.{host.format(region=region)}.amazonaws.com/"
    assert f"/{region}/s3/" in post["fields"]["x-amz-credential"]
    assert post["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


@pytest.mark.parametrize(
    "key",
    [
        *(
            f"queries/{BOB_ID}/{ULID}",
            f"lectures/{ANN_ID}/{ULID}",
            f"responses/{ANN_ID}/{ULID}",
            f"/queries/{ANN_ID}/{ULID}",
        ),
        *(f"QUERIES/{ANN_ID}/{ULID}", f"queries/{ANN_ID}%2F{ULID}", "", f"queries/{ULID}"),
        f"queries/{ANN_ID}/{'0' * 25}U",
    ],
)
def test_other_keys_are_not_the_guests_own(key: str) -> None:
    assert not is_own_query(ANN_ID, key)
    assert not is_own_query(".*", f"queries/{ANN_ID}/{ULID}"), "a guest id is not a pattern"


@given(st.text(st.sampled_from([*ALPHABET, *"./-:a"]), max_size=80) | st.text(max_size=80))
@example(ULID)
def test_a_key_belongs_to_a_guest_only_with_one_id_below_the_guests_prefix(rest: str) -> None:
    own = is_own_query(ANN_ID, f"queries/{ANN_ID}/{rest}")
    assert own == (len(rest) == 26 and set(rest) <= set(ALPHABET) and rest[0] in "01234567")


def test_the_number_of_a_guests_lectures_per_day_is_limited(api: SocketHarness) -> None:
    """Each form accepts gigabytes."""
    answers = [api.send("upload", kind="lecture", contentType="audio/ogg") for _ in range(4)]
    assert [answer["type"] for answer in answers] == ["uploadReady"] * 3 + ["error"]
    assert answers[-1]["code"] == "UPLOAD_REFUSED"
    api.clock.now_ms += DAY_MS
    assert api.send("upload", kind="lecture", contentType="audio/ogg")["type"] == "uploadReady"
