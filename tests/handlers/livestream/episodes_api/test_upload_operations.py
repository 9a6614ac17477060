"""Uploads: what the forms hold S3 to, parts that are put together, and what is refused."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from handlers.livestream.api_models import UploadRequest
from handlers.livestream.episodes_api.upload_operations import MEBIBYTE, MIN_PART_BYTES, SUFFIXES, _part_bytes
from handlers.livestream.tracks import ContentType, TrackKind, TrackReason, TrackState, TrackUpdate
from tests.handlers.livestream.api_setup import ANN, BOB, BUCKET, LIMITS, URL_SECONDS, Said, Stage

TRANSCRIPT = {"kind": "transcript", "contentType": "text/vtt", "bytes": 500}
VIDEO = {"kind": "video", "contentType": "video/mp4", "bytes": MIN_PART_BYTES + 3}


def policy(answer: Said) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.b64decode(answer.body["form"]["fields"]["policy"]))
    return decoded


def test_a_small_file_gets_a_form_for_one_key_type_and_size(stage: Stage) -> None:
    episode = stage.episode()
    answer = stage.does("requestUpload", TRANSCRIPT, episode_id=episode)
    body = answer.body
    assert answer.status == 201
    assert body["key"] == f"transcripts/{ANN}/{episode}/{body['uploadId']}.vtt"
    assert (body["kind"], body["maxBytes"], body["expiresSeconds"]) == ("transcript", 500, URL_SECONDS)
    assert "multipart" not in body
    assert BUCKET in body["form"]["url"]
    assert body["form"]["fields"]["key"] == body["key"]
    conditions = policy(answer)["conditions"]
    assert {"Content-Type": "text/vtt"} in conditions
    assert {"key": body["key"]} in conditions
    assert [condition for condition in conditions if isinstance(condition, list)] == [
        ["content-length-range", 500, 500]
    ]


def test_another_upload_may_be_requested_until_one_arrives(stage: Stage) -> None:
    episode = stage.episode()
    stage.passes(seconds=3)
    first, second = (stage.does("requestUpload", TRANSCRIPT, episode_id=episode).body for _ in range(2))
    assert first["key"] != second["key"]
    told = stage.does("getEpisode", episode_id=episode).body
    at, upload = "2026-01-03T12:00:03.123Z", second["uploadId"]
    assert told["transcript"] == {"state": "requested", "since": at, "uploadId": upload}
    assert (told["status"], told["video"]["state"], told["version"]) == ("uploading", "none", 1)
    stage.table.advance_track(ANN, episode, TrackKind.TRANSCRIPT, TrackUpdate(upload, TrackState.UPLOADED, at))
    answer = stage.does("requestUpload", TRANSCRIPT, episode_id=episode)
    assert answer.refusal == (409, "UPLOAD_NOT_EXPECTED")
    assert stage.does("requestUpload", {**VIDEO, "bytes": 5}, episode_id=episode).status == 201


@pytest.mark.parametrize("kind", TrackKind)
def test_each_content_type_has_its_suffix(stage: Stage, kind: TrackKind) -> None:
    for content_type, suffix in SUFFIXES[kind].items():
        asked = {"kind": kind, "contentType": content_type, "bytes": 5}
        key = stage.does("requestUpload", asked, episode_id=stage.episode()).body["key"]
        assert key.startswith(f"{kind}s/")
        assert key.endswith(f".{suffix}")
    assert sum(map(len, SUFFIXES.values())) == len(ContentType)


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({**TRANSCRIPT, "contentType": "video/mp4"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "contentType": "text/plain"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "contentType": "video/x-canary"}, "MALFORMED", "contentType"),
        ({**VIDEO, "kind": "audio"}, "MALFORMED", "kind"),
        ({**VIDEO, "bytes": 0}, "MALFORMED", "bytes"),
        ({**VIDEO, "bytes": LIMITS.max_video_bytes + 1}, "UPLOAD_TOO_LARGE", "bytes"),
        ({**TRANSCRIPT, "bytes": LIMITS.max_transcript_bytes + 1}, "UPLOAD_TOO_LARGE", "bytes"),
    ],
)
def test_an_unsupported_type_or_size_is_refused(stage: Stage, asked: dict[str, Any], code: str, field: str) -> None:
    episode = stage.episode()
    answer = stage.does("requestUpload", asked, episode_id=episode)
    assert answer.refusal == (400, code)
    assert [field["field"] for field in answer.body["fields"]] == [field]
    assert stage.does("getEpisode", episode_id=episode).body["status"] == "draft"


def test_a_file_of_exactly_the_maximum_size_is_accepted(stage: Stage) -> None:
    for asked in ({**VIDEO, "bytes": LIMITS.max_video_bytes}, {**TRANSCRIPT, "bytes": LIMITS.max_transcript_bytes}):
        assert stage.does("requestUpload", asked, episode_id=stage.episode()).status == 201


def test_a_failed_track_accepts_another_upload(stage: Stage) -> None:
    episode = stage.episode()
    upload = stage.does("requestUpload", TRANSCRIPT, episode_id=episode).body["uploadId"]
    at = "2026-01-03T12:00:09.000Z"
    failure = TrackUpdate(upload, TrackState.FAILED, at, TrackReason.EMPTY)
    stage.table.advance_track(ANN, episode, TrackKind.TRANSCRIPT, failure)
    told = stage.does("getEpisode", episode_id=episode).body
    assert told["status"] == "failed"
    assert told["transcript"] == {"state": "failed", "since": at, "reason": "EMPTY", "uploadId": upload}
    assert stage.does("requestUpload", TRANSCRIPT, episode_id=episode).status == 201
    assert "reason" not in stage.does("getEpisode", episode_id=episode).body["transcript"]


def test_no_upload_is_started_for_an_unknown_episode(stage: Stage) -> None:
    answer = stage.does("requestUpload", VIDEO, episode_id=stage.episode(), owner=BOB)
    assert answer.refusal == (404, "EPISODE_UNKNOWN")
    assert stage.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_a_large_file_is_uploaded_in_parts(stage: Stage) -> None:
    episode = stage.episode()
    answer = stage.does("requestUpload", VIDEO, episode_id=episode)
    body = answer.body
    assert (answer.status, "form" in body) == (201, False)
    multipart = body["multipart"]
    assert (multipart["partBytes"], [part["partNumber"] for part in multipart["parts"]]) == (MIN_PART_BYTES, [1, 2])
    for part in multipart["parts"]:
        url = urlsplit(part["url"])
        query = parse_qs(url.query)
        assert url.path == f"/{body['key']}"
        assert query["partNumber"] == [str(part["partNumber"])]
        assert query["uploadId"] == [multipart["multipartId"]]
        assert query["X-Amz-Expires"] == [str(URL_SECONDS)]


def of(kind: TrackKind, size: int) -> UploadRequest:
    content_type = ContentType.MP4 if kind is TrackKind.VIDEO else ContentType.VTT
    return UploadRequest(kind=kind, content_type=content_type, bytes=size)


@pytest.mark.parametrize("size", [MEBIBYTE + 1, MIN_PART_BYTES, 900_000_000, 10**9, 10**9 + 1, 10**10, 10**11])
def test_parts_have_an_allowed_number_and_size_and_cover_the_file(stage: Stage, size: int) -> None:
    part_bytes, parts = _part_bytes(size), stage.uploads._part_count(of(TrackKind.VIDEO, size))
    assert 1 <= parts <= 100
    assert part_bytes >= MIN_PART_BYTES
    assert (parts - 1) * part_bytes < size <= parts * part_bytes


@pytest.mark.parametrize(("size", "parts"), [(1, 0), (MEBIBYTE, 0), (MEBIBYTE + 1, 1)])
def test_only_files_above_the_form_limit_are_uploaded_in_parts(stage: Stage, size: int, parts: int) -> None:
    assert stage.uploads._part_count(of(TrackKind.VIDEO, size)) == parts
    assert stage.uploads._part_count(of(TrackKind.TRANSCRIPT, size)) == 0, "a transcript is one form however long it is"


class Parted:
    """A video whose parts are uploaded."""

    def __init__(self, stage: Stage, size: int = MIN_PART_BYTES + 3, sent: int | None = None) -> None:
        self.stage, self.episode = stage, stage.episode()
        ready = stage.does("requestUpload", {**VIDEO, "bytes": size}, episode_id=self.episode).body
        self.upload, self.key, multipart = ready["uploadId"], ready["key"], ready["multipart"]
        self.multipart = multipart["multipartId"]
        self.parts = []
        left = size if sent is None else sent
        for part in multipart["parts"]:
            data = b"x" * min(left, multipart["partBytes"])
            left -= len(data)
            answer = stage.s3.upload_part(
                Bucket=BUCKET, Key=self.key, UploadId=self.multipart, PartNumber=part["partNumber"], Body=data
            )
            self.parts.append({"partNumber": part["partNumber"], "etag": answer["ETag"]})

    def completes(self, **other: Any) -> Said:
        body = {"multipartId": self.multipart, "parts": self.parts, **other.pop("body", {})}
        return self.stage.does(
            "completeUpload", body, **{"episode_id": self.episode, "upload_id": self.upload, **other}
        )

    @property
    def there(self) -> bool:
        return bool(self.stage.s3.list_objects_v2(Bucket=BUCKET).get("Contents"))


def test_an_upload_gets_new_urls_after_its_urls_expire(stage: Stage) -> None:
    episode = stage.episode()
    ready = stage.does("requestUpload", VIDEO, episode_id=episode).body
    multipart, before = ready["multipart"], stage.stored()
    where = {"episode_id": episode, "upload_id": ready["uploadId"]}
    with stage.counted() as calls:
        answer = stage.does("signParts", {"multipartId": multipart["multipartId"]}, **where)
    assert (answer.status, calls) == (200, ["GetItem"])
    assert stage.stored() == before
    assert len(stage.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1, "and none is begun"
    again = answer.body["multipart"]
    assert {**answer.body, "multipart": None} == {**ready, "multipart": None}
    assert {**again, "parts": None} == {**multipart, "parts": None}
    for old, new in zip(multipart["parts"], again["parts"], strict=True):
        assert new["partNumber"] == old["partNumber"]
        old_url, new_url = urlsplit(old["url"]), urlsplit(new["url"])
        assert (new_url.netloc, new_url.path) == (old_url.netloc, old_url.path)
        assert parse_qs(new_url.query)["uploadId"] == [multipart["multipartId"]]
        assert parse_qs(new_url.query)["X-Amz-Expires"] == [str(URL_SECONDS)]


def test_urls_are_signed_again_only_while_the_upload_is_expected(stage: Stage) -> None:
    video = Parted(stage)
    body = {"multipartId": video.multipart}

    def signs(**other: Any) -> Said:
        return stage.does("signParts", body, **{"episode_id": video.episode, "upload_id": video.upload, **other})

    assert signs().status == 200
    assert signs(upload_id=stage.new_id()).refusal == (404, "UPLOAD_UNKNOWN")
    assert signs(owner=BOB).refusal == (404, "EPISODE_UNKNOWN")
    at = "2026-01-03T12:00:09.000Z"
    stage.table.advance_track(ANN, video.episode, TrackKind.VIDEO, TrackUpdate(video.upload, TrackState.UPLOADED, at))
    assert signs().refusal == (409, "UPLOAD_NOT_EXPECTED")
    failure = TrackUpdate(video.upload, TrackState.FAILED, at, TrackReason.CHUNKING_FAILED)
    stage.table.advance_track(ANN, video.episode, TrackKind.VIDEO, failure)
    assert signs().refusal == (409, "UPLOAD_NOT_EXPECTED")


def test_an_upload_by_form_has_no_parts_to_sign_or_complete(stage: Stage) -> None:
    episode = stage.episode()
    upload = stage.does("requestUpload", TRANSCRIPT, episode_id=episode).body["uploadId"]
    parts = [{"partNumber": 1, "etag": "e"}]
    for operation, body in (
        ("signParts", {"multipartId": "m"}),
        ("completeUpload", {"multipartId": "m", "parts": parts}),
    ):
        answer = stage.does(operation, body, episode_id=episode, upload_id=upload)
        assert answer.refusal == (409, "UPLOAD_NOT_EXPECTED")


def test_completing_an_upload_reads_the_table_once_and_changes_nothing(stage: Stage) -> None:
    video = Parted(stage)
    before = stage.stored()
    with stage.counted() as calls:
        answer = video.completes(body={"parts": video.parts[::-1]})
    size = MIN_PART_BYTES + 3
    assert (answer.status, answer.body) == (200, {"uploadId": video.upload, "key": video.key, "bytes": size})
    assert (calls, stage.stored()) == (["GetItem"], before)
    head = stage.s3.head_object(Bucket=BUCKET, Key=video.key)
    assert (head["ContentLength"], head["ContentType"]) == (size, "video/mp4")
    assert video.completes().text == answer.text, "asked again, it is answered alike"
    at = "2026-01-03T12:00:09.000Z"
    stage.table.advance_track(ANN, video.episode, TrackKind.VIDEO, TrackUpdate(video.upload, TrackState.CHUNKING, at))
    assert video.completes().status == 200


def test_the_completion_names_the_announced_size(stage: Stage) -> None:
    video, asked = Parted(stage), []

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["headers"]["x-amz-mp-object-size"])

    stage.s3.meta.events.register("before-call.s3.CompleteMultipartUpload", note)
    video.completes()
    stage.s3.meta.events.unregister("before-call.s3.CompleteMultipartUpload", note)
    assert [int(call) for call in asked] == [MIN_PART_BYTES + 3]


@pytest.mark.parametrize(
    ("sent", "parts", "fields"),
    [
        (MIN_PART_BYTES + 2, slice(None), []),
        (None, slice(1), [{"field": "parts", "rule": "this upload has 2 parts"}]),
    ],
    ids=["another size", "a part left out"],
)
def test_a_wrong_number_of_parts_is_refused(
    stage: Stage, sent: int | None, parts: slice, fields: list[dict[str, str]]
) -> None:
    video = Parted(stage, sent=sent)
    answer = video.completes(body={"parts": video.parts[parts]})
    assert answer.refusal == (409, "UPLOAD_INCOMPLETE")
    assert answer.body["fields"] == fields


def test_a_part_that_was_never_uploaded_is_refused(stage: Stage) -> None:
    video = Parted(stage)
    forged = [video.parts[0], {"partNumber": 2, "etag": "0" * 32}]
    assert video.completes(body={"parts": forged}).refusal == (409, "UPLOAD_INCOMPLETE")
    assert not video.there
    assert video.completes().status == 200, "and it can still be completed"


def failing(code: str, operation: str) -> Callable[..., None]:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)

    return fail


@pytest.mark.parametrize(
    ("completing", "looking", "expected"),
    [
        ("InvalidPart", "", (409, "UPLOAD_INCOMPLETE")),
        ("InvalidPartOrder", "", (409, "UPLOAD_INCOMPLETE")),
        ("InvalidRequest", "", (409, "UPLOAD_INCOMPLETE")),
        ("EntityTooSmall", "", (409, "UPLOAD_INCOMPLETE")),
        ("InternalError", "", (500, "INTERNAL")),
        ("NoSuchUpload", "", (404, "UPLOAD_UNKNOWN")),
        ("NoSuchUpload", "403", (404, "UPLOAD_UNKNOWN")),
        ("NoSuchUpload", "404", (404, "UPLOAD_UNKNOWN")),
        ("", "403", (500, "INTERNAL")),
        ("", "404", (500, "INTERNAL")),
        ("", "503", (500, "INTERNAL")),
    ],
)
def test_a_refusal_of_s3_is_a_client_error_and_any_other_failure_is_not(
    stage: Stage, completing: str, looking: str, expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HeadObject says 403 of what is not there to those who may not list the bucket."""
    video = Parted(stage)
    if completing:
        monkeypatch.setattr(stage.s3, "complete_multipart_upload", failing(completing, "CompleteMultipartUpload"))
    if looking:
        monkeypatch.setattr(stage.s3, "head_object", failing(looking, "HeadObject"), raising=False)
    answer = video.completes()
    assert answer.refusal == expected
    assert "canary" not in answer.text


def test_completing_a_completed_upload_succeeds(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    video = Parted(stage)
    first = video.completes()
    monkeypatch.setattr(stage.s3, "complete_multipart_upload", failing("NoSuchUpload", "CompleteMultipartUpload"))
    assert video.completes().text == first.text


def test_only_the_expected_upload_can_be_completed(stage: Stage) -> None:
    video, other = Parted(stage), Parted(stage)
    assert video.completes(body={"multipartId": other.multipart}).refusal == (404, "UPLOAD_UNKNOWN")
    assert video.completes(upload_id=stage.new_id()).refusal == (404, "UPLOAD_UNKNOWN")
    assert video.completes(owner=BOB).refusal == (404, "EPISODE_UNKNOWN")
    assert video.completes(episode_id=other.episode).refusal == (404, "UPLOAD_UNKNOWN")
    stage.does("requestUpload", VIDEO, episode_id=video.episode)
    assert video.completes().refusal == (404, "UPLOAD_UNKNOWN"), "another upload has taken its place"
    assert not video.there
    failure = TrackUpdate(other.upload, TrackState.FAILED, "2026-01-03T12:00:09.000Z", TrackReason.UNSUPPORTED_TYPE)
    stage.table.advance_track(ANN, other.episode, TrackKind.VIDEO, failure)
    assert other.completes().refusal == (409, "UPLOAD_NOT_EXPECTED"), "it has failed"
    assert not other.there


@pytest.mark.parametrize(
    "body",
    [
        {"parts": []},
        {"parts": [{"partNumber": 1, "etag": "e"}, {"partNumber": 1, "etag": "e"}]},
        {"parts": [{"partNumber": 101, "etag": "e"}]},
        {"parts": [{"partNumber": 1, "etag": "<canary>"}]},
        {"parts": [{"partNumber": 1, "etag": "e"}] * 101},
        {"multipartId": "canary\n"},
        {"multipartId": ""},
    ],
)
def test_an_invalid_completion_is_refused(stage: Stage, body: dict[str, Any]) -> None:
    whole = {"multipartId": "m", "parts": [{"partNumber": 1, "etag": "e"}], **body}
    answer = stage.does("completeUpload", whole, episode_id="0" * 26, upload_id="0" * 26)
    assert answer.refusal == (400, "MALFORMED")
    assert "canary" not in answer.text


def test_no_key_or_url_is_logged(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    video = Parted(stage)
    video.completes()
    video.completes(upload_id=stage.new_id())
    logged = capsys.readouterr().out
    assert "request_refused" in logged
    for secret in (video.upload, video.key, video.multipart, "amazonaws", "Signature"):
        assert secret not in logged
