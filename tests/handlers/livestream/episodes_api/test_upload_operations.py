"""API operations on uploads: forms, multipart uploads and refusals."""

import base64
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from handlers.livestream.api_models import UploadRequest
from handlers.livestream.episodes_api.upload_operations import MEBIBYTE, MIN_PART_BYTES, _part_bytes
from handlers.livestream.track_processing_states import ContentType, TrackKind, TrackState, TrackUpdate
from tests.handlers.livestream.rest_api_harness import ANN, BOB, BUCKET, LIMITS, URL_SECONDS, ApiHarness, ApiResponse

TRANSCRIPT = {"kind": "transcript", "contentType": "text/vtt", "bytes": 500}
TWO_PARTS = MIN_PART_BYTES + 3
"""Size of a video that is uploaded in two parts."""
VIDEO = {"kind": "video", "contentType": "video/mp4", "bytes": TWO_PARTS}


def policy(answer: ApiResponse) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.b64decode(answer.body["form"]["fields"]["policy"]))
    return decoded


def test_a_small_file_gets_a_form_for_one_key_type_and_size(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    answer = harness.call("requestUpload", TRANSCRIPT, episode_id=episode)
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


def test_another_upload_may_be_requested_until_one_arrives(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    harness.advance_time(seconds=3)
    first, second = (harness.call("requestUpload", TRANSCRIPT, episode_id=episode).body for _ in range(2))
    assert first["key"] != second["key"]
    episode_view = harness.call("getEpisode", episode_id=episode).body
    at, upload = "2026-01-03T12:00:03.123Z", second["uploadId"]
    assert episode_view["transcript"] == {"state": "requested", "since": at, "uploadId": upload}
    assert (episode_view["status"], episode_view["video"]["state"], episode_view["version"]) == ("uploading", "none", 1)
    harness.table.advance_track(ANN, episode, TrackKind.TRANSCRIPT, TrackUpdate(upload, TrackState.UPLOADED, at))
    answer = harness.call("requestUpload", TRANSCRIPT, episode_id=episode)
    assert answer.error == (409, "UPLOAD_NOT_EXPECTED")
    assert harness.call("requestUpload", {**VIDEO, "bytes": 5}, episode_id=episode).status == 201


@pytest.mark.parametrize(
    ("upload_request", "code", "field"),
    [
        ({**TRANSCRIPT, "contentType": "video/mp4"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "contentType": "text/plain"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "bytes": LIMITS.max_video_bytes + 1}, "UPLOAD_TOO_LARGE", "bytes"),
        ({**TRANSCRIPT, "bytes": LIMITS.max_transcript_bytes + 1}, "UPLOAD_TOO_LARGE", "bytes"),
    ],
)
def test_an_unsupported_type_or_size_is_refused(
    harness: ApiHarness, upload_request: dict[str, Any], code: str, field: str
) -> None:
    episode = harness.create_episode()
    answer = harness.call("requestUpload", upload_request, episode_id=episode)
    assert answer.error == (400, code)
    assert [problem["field"] for problem in answer.body["fields"]] == [field]
    assert harness.call("getEpisode", episode_id=episode).body["status"] == "draft"


@pytest.mark.parametrize(
    ("upload_request", "parts"),
    [
        ({**VIDEO, "bytes": MEBIBYTE}, None),
        ({**VIDEO, "bytes": MEBIBYTE + 1}, 1),
        ({**VIDEO, "bytes": LIMITS.max_video_bytes}, 5),
        ({**TRANSCRIPT, "bytes": LIMITS.max_transcript_bytes}, None),
    ],
)
def test_only_videos_above_the_form_limit_are_uploaded_in_parts(
    harness: ApiHarness, upload_request: dict[str, Any], parts: int | None
) -> None:
    body = harness.call("requestUpload", upload_request, episode_id=harness.create_episode()).body
    assert len(body.get("multipart", {}).get("parts", ())) == (parts or 0)
    assert ("form" in body) is (parts is None)


def test_no_upload_is_started_for_an_unknown_episode(harness: ApiHarness) -> None:
    answer = harness.call("requestUpload", VIDEO, episode_id=harness.create_episode(), owner=BOB)
    assert answer.error == (404, "EPISODE_UNKNOWN")
    assert harness.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def signed_requests(ready: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return path, part number, multipart id and validity of each part's URL."""
    urls = [urlsplit(part["url"]) for part in ready["multipart"]["parts"]]
    names = ("partNumber", "uploadId", "X-Amz-Expires")
    return [(url.path, *(parse_qs(url.query)[name] for name in names)) for url in urls]


def test_a_large_file_is_uploaded_in_parts(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    answer = harness.call("requestUpload", VIDEO, episode_id=episode)
    body = answer.body
    assert (answer.status, "form" in body) == (201, False)
    multipart = body["multipart"]
    assert (multipart["partBytes"], [part["partNumber"] for part in multipart["parts"]]) == (MIN_PART_BYTES, [1, 2])
    assert signed_requests(body) == [
        (f"/{body['key']}", [number], [multipart["multipartId"]], [str(URL_SECONDS)]) for number in ("1", "2")
    ]


@pytest.mark.parametrize("size", [MEBIBYTE + 1, MIN_PART_BYTES, 900_000_000, 10**9, 10**9 + 1, 10**10, 10**11])
def test_parts_have_an_allowed_number_and_size_and_cover_the_file(harness: ApiHarness, size: int) -> None:
    request = UploadRequest(kind=TrackKind.VIDEO, content_type=ContentType.MP4, bytes=size)
    part_bytes, parts = _part_bytes(size), harness.uploads._part_count(request)
    assert 1 <= parts <= 100
    assert part_bytes >= MIN_PART_BYTES
    assert (parts - 1) * part_bytes < size <= parts * part_bytes


def is_signed_for(url: str, size: int) -> bool:
    """Return True if S3 accepts a part of this size. S3 computes the signature from the signed headers of the request."""
    query = dict(parse_qsl(urlsplit(url).query))
    signature, credential = query.pop("X-Amz-Signature"), query["X-Amz-Credential"].split("/")
    sent = {"content-length": str(size), "host": urlsplit(url).netloc}
    headers = {name: sent[name] for name in query["X-Amz-SignedHeaders"].split(";")}
    request = AWSRequest("PUT", f"{url.partition('?')[0]}?{urlencode(query)}", headers)
    request.context["timestamp"] = query["X-Amz-Date"]
    credentials = boto3.Session().get_credentials()
    assert credentials is not None
    auth = S3SigV4QueryAuth(credentials, "s3", credential[2])
    computed: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return computed == signature


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (MEBIBYTE + 1, [MEBIBYTE + 1]),
        (2 * MIN_PART_BYTES, [MIN_PART_BYTES, MIN_PART_BYTES]),
        (2 * MIN_PART_BYTES + 1, [MIN_PART_BYTES, MIN_PART_BYTES, 1]),
    ],
)
def test_the_url_of_a_part_is_signed_for_the_parts_size(harness: ApiHarness, size: int, expected: list[int]) -> None:
    episode = harness.create_episode()
    ready = harness.call("requestUpload", {**VIDEO, "bytes": size}, episode_id=episode).body
    named = {"multipartId": ready["multipart"]["multipartId"]}
    again = harness.call("signParts", named, episode_id=episode, upload_id=ready["uploadId"]).body
    for answer in (ready, again):
        urls = [part["url"] for part in answer["multipart"]["parts"]]
        for url, part_size in zip(urls, expected, strict=True):
            assert is_signed_for(url, part_size)
            assert not any(is_signed_for(url, other) for other in (0, part_size - 1, part_size + 1, size + 1))


class MultipartVideo:
    """Multipart upload of a video whose parts are uploaded: one small part by default."""

    def __init__(self, harness: ApiHarness, size: int = MEBIBYTE + 1, sent: int | None = None) -> None:
        self.harness, self.episode = harness, harness.create_episode()
        ready = harness.call("requestUpload", {**VIDEO, "bytes": size}, episode_id=self.episode).body
        self.upload, self.key, multipart = ready["uploadId"], ready["key"], ready["multipart"]
        self.multipart = multipart["multipartId"]
        self.parts = []
        left = size if sent is None else sent
        for part in multipart["parts"]:
            data = b"x" * min(left, multipart["partBytes"])
            left -= len(data)
            answer = harness.s3.upload_part(
                Bucket=BUCKET, Key=self.key, UploadId=self.multipart, PartNumber=part["partNumber"], Body=data
            )
            self.parts.append({"partNumber": part["partNumber"], "etag": answer["ETag"]})

    def complete(self, **other: Any) -> ApiResponse:
        body = {"multipartId": self.multipart, "parts": self.parts, **other.pop("body", {})}
        return self.harness.call(
            "completeUpload", body, **{"episode_id": self.episode, "upload_id": self.upload, **other}
        )

    def advance(self, state: TrackState) -> None:
        update = TrackUpdate(self.upload, state, "2026-01-03T12:00:09.000Z")
        assert self.harness.table.advance_track(ANN, self.episode, TrackKind.VIDEO, update)

    @property
    def object_exists(self) -> bool:
        return bool(self.harness.s3.list_objects_v2(Bucket=BUCKET).get("Contents"))


def test_an_upload_gets_new_urls_after_its_urls_expire(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    ready = harness.call("requestUpload", VIDEO, episode_id=episode).body
    multipart, before = ready["multipart"], harness.stored_items()
    where = {"episode_id": episode, "upload_id": ready["uploadId"]}
    with harness.counted_calls() as calls:
        answer = harness.call("signParts", {"multipartId": multipart["multipartId"]}, **where)
    assert (answer.status, calls) == (200, ["GetItem"])
    assert harness.stored_items() == before
    assert len(harness.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1, (
        "no second multipart upload is started"
    )
    assert {**answer.body, "multipart": None} == {**ready, "multipart": None}
    assert signed_requests(answer.body) == signed_requests(ready)


def test_urls_are_signed_again_only_while_the_upload_is_expected(harness: ApiHarness) -> None:
    video = MultipartVideo(harness)
    body = {"multipartId": video.multipart}

    def sign(**other: Any) -> ApiResponse:
        return harness.call("signParts", body, **{"episode_id": video.episode, "upload_id": video.upload, **other})

    assert sign().status == 200
    assert sign(upload_id=harness.new_id()).error == (404, "UPLOAD_UNKNOWN")
    assert sign(owner=BOB).error == (404, "EPISODE_UNKNOWN")
    video.advance(TrackState.UPLOADED)
    assert sign().error == (409, "UPLOAD_NOT_EXPECTED")
    video.advance(TrackState.FAILED)
    assert sign().error == (409, "UPLOAD_NOT_EXPECTED")


def test_an_upload_by_form_has_no_parts_to_sign_or_complete(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    upload = harness.call("requestUpload", TRANSCRIPT, episode_id=episode).body["uploadId"]
    parts = [{"partNumber": 1, "etag": "e"}]
    for operation, body in (
        ("signParts", {"multipartId": "m"}),
        ("completeUpload", {"multipartId": "m", "parts": parts}),
    ):
        answer = harness.call(operation, body, episode_id=episode, upload_id=upload)
        assert answer.error == (409, "UPLOAD_NOT_EXPECTED")


def test_completing_an_upload_reads_the_table_once_and_changes_nothing(harness: ApiHarness) -> None:
    video = MultipartVideo(harness, TWO_PARTS)
    before = harness.stored_items()
    with harness.counted_calls() as calls:
        answer = video.complete(body={"parts": video.parts[::-1]})
    assert (answer.status, answer.body) == (200, {"uploadId": video.upload, "key": video.key, "bytes": TWO_PARTS})
    assert (calls, harness.stored_items()) == (["GetItem"], before)
    head = harness.s3.head_object(Bucket=BUCKET, Key=video.key)
    assert (head["ContentLength"], head["ContentType"]) == (TWO_PARTS, "video/mp4")
    assert video.complete().text == answer.text, "a repeated completion gets the same response"
    video.advance(TrackState.CHUNKING)
    assert video.complete().status == 200


def test_the_completion_names_the_announced_size(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    video, complete = MultipartVideo(harness), Mock()
    monkeypatch.setattr(harness.s3, "complete_multipart_upload", complete)
    video.complete()
    assert complete.call_args.kwargs["MpuObjectSize"] == MEBIBYTE + 1


@pytest.mark.parametrize(
    ("sent", "parts", "fields"),
    [
        (MIN_PART_BYTES + 2, slice(None), []),
        (None, slice(1), [{"field": "parts", "rule": "this upload has 2 parts"}]),
    ],
    ids=["another size", "a part left out"],
)
def test_parts_of_another_number_or_total_size_are_refused(
    harness: ApiHarness, sent: int | None, parts: slice, fields: list[dict[str, str]]
) -> None:
    video = MultipartVideo(harness, TWO_PARTS, sent)
    answer = video.complete(body={"parts": video.parts[parts]})
    assert answer.error == (409, "UPLOAD_INCOMPLETE")
    assert answer.body["fields"] == fields


def test_a_part_that_was_never_uploaded_is_refused(harness: ApiHarness) -> None:
    video = MultipartVideo(harness, TWO_PARTS)
    forged = [video.parts[0], {"partNumber": 2, "etag": "0" * 32}]
    assert video.complete(body={"parts": forged}).error == (409, "UPLOAD_INCOMPLETE")
    assert not video.object_exists
    assert video.complete().status == 200, "the upload can still be completed"


def failing(code: str, operation: str) -> Callable[..., None]:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)

    return fail


@pytest.mark.parametrize(
    ("completing", "looking", "expected"),
    [
        ("InvalidPart", "", (409, "UPLOAD_INCOMPLETE")),
        ("InternalError", "", (500, "INTERNAL")),
        ("NoSuchUpload", "", (404, "UPLOAD_UNKNOWN")),
        ("NoSuchUpload", "403", (404, "UPLOAD_UNKNOWN")),
        ("", "404", (500, "INTERNAL")),
        ("", "503", (500, "INTERNAL")),
    ],
)
def test_a_refusal_of_s3_is_a_client_error_and_any_other_failure_is_not(
    harness: ApiHarness, completing: str, looking: str, expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HeadObject answers 403 for a missing object if the role may not list the bucket."""
    video = MultipartVideo(harness)
    if completing:
        monkeypatch.setattr(harness.s3, "complete_multipart_upload", failing(completing, "CompleteMultipartUpload"))
    if looking:
        monkeypatch.setattr(harness.s3, "head_object", failing(looking, "HeadObject"), raising=False)
    answer = video.complete()
    assert answer.error == expected
    assert "canary" not in answer.text


def test_only_the_expected_upload_can_be_completed(harness: ApiHarness) -> None:
    video, other = MultipartVideo(harness), MultipartVideo(harness)
    assert video.complete(body={"multipartId": other.multipart}).error == (404, "UPLOAD_UNKNOWN")
    assert video.complete(upload_id=harness.new_id()).error == (404, "UPLOAD_UNKNOWN")
    assert video.complete(owner=BOB).error == (404, "EPISODE_UNKNOWN")
    assert video.complete(episode_id=other.episode).error == (404, "UPLOAD_UNKNOWN")
    harness.call("requestUpload", VIDEO, episode_id=video.episode)
    assert video.complete().error == (404, "UPLOAD_UNKNOWN"), "another upload replaced it"
    assert not video.object_exists
    other.advance(TrackState.FAILED)
    assert other.complete().error == (409, "UPLOAD_NOT_EXPECTED"), "the upload has failed"
    assert not other.object_exists


@pytest.mark.parametrize(
    "body",
    [
        {"parts": [{"partNumber": 1, "etag": "e"}] * 2},
        {"parts": [{"partNumber": 1, "etag": "<canary>"}]},
        {"multipartId": "canary\n"},
    ],
)
def test_an_invalid_completion_is_refused(harness: ApiHarness, body: dict[str, Any]) -> None:
    whole = {"multipartId": "m", "parts": [{"partNumber": 1, "etag": "e"}], **body}
    answer = harness.call("completeUpload", whole, episode_id="0" * 26, upload_id="0" * 26)
    assert answer.error == (400, "MALFORMED")
    assert "canary" not in answer.text


def test_no_key_or_url_is_logged(harness: ApiHarness, capsys: pytest.CaptureFixture[str]) -> None:
    video = MultipartVideo(harness)
    video.complete()
    video.complete(upload_id=harness.new_id())
    logged = capsys.readouterr().out
    assert "request_refused" in logged
    for secret in (video.upload, video.key, video.multipart, "amazonaws", "Signature"):
        assert secret not in logged
