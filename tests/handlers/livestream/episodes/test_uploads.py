"""API operations on uploads: forms (presigned POSTs), multipart uploads with presigned URLs, and refused requests."""

import base64
import json
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.livestream.episodes.uploads import PREFIXES, SUFFIXES, part_bytes
from handlers.livestream.keys import parse_upload
from handlers.livestream.tracks import TrackState
from tests.handlers.livestream.harness import (
    ANN,
    BOB,
    BUCKET,
    MAX_FORM_BYTES,
    MAX_TRANSCRIPT_BYTES,
    MAX_VIDEO_BYTES,
    ApiResponse,
    Harness,
    error,
    s3_of_the_api,
)

TRANSCRIPT = {"kind": "transcript", "contentType": "text/vtt", "bytes": 1}
SIZE = MAX_FORM_BYTES + 1
"""Size of a video that is uploaded in two parts."""
MIN_PART_BYTES = 8 * 1024**2
VIDEO = {"kind": "video", "contentType": "video/mp4", "bytes": SIZE}


def test_a_small_file_gets_a_form_for_one_key_type_and_size(harness: Harness) -> None:
    episode = harness.create_episode()
    answer = harness.call("requestUpload", TRANSCRIPT, episode_id=episode)
    body = answer.body
    assert answer.status == 201
    key = f"transcripts/{ANN}/{episode}/{body['uploadId']}.vtt"
    assert body["expiresSeconds"] == PRESIGNED_SECONDS
    assert "multipart" not in body
    assert BUCKET in body["form"]["url"]
    assert body["form"]["fields"]["key"] == key
    conditions = json.loads(base64.b64decode(body["form"]["fields"]["policy"]))["conditions"]
    assert {"Content-Type": "text/vtt"} in conditions
    assert {"key": key} in conditions
    ranges = [condition for condition in conditions if isinstance(condition, list)]
    assert ranges == [["content-length-range", 1, 1]]


def test_another_upload_may_be_requested_until_a_file_arrives(harness: Harness) -> None:
    episode = harness.create_episode()
    harness.advance_time(seconds=3)
    first, second = (harness.call("requestUpload", TRANSCRIPT, episode_id=episode).body for _ in range(2))
    assert first["uploadId"] != second["uploadId"]
    body = harness.call("getEpisode", episode_id=episode).body
    since, upload_id = "2026-01-03T12:00:03.123Z", second["uploadId"]
    assert body["transcript"] == {"state": "requested", "since": since, "uploadId": upload_id}
    assert (body["status"], body["video"]["state"], body["version"]) == ("uploading", "none", 1)
    video = harness.request_upload(episode)["uploadId"]
    assert harness.advance(episode, video, TrackState.UPLOADED)
    assert harness.call("requestUpload", VIDEO, episode_id=episode).error == (409, "UPLOAD_NOT_EXPECTED")
    assert harness.call("requestUpload", VIDEO, episode_id=episode, owner=BOB).error == (404, "EPISODE_UNKNOWN")
    assert harness.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []
    assert harness.call("getEpisode", episode_id=episode).body["video"]["uploadId"] == video
    assert harness.call("requestUpload", TRANSCRIPT, episode_id=episode).status == 201, "the tracks are independent"


def test_the_key_of_every_accepted_type_is_the_key_of_an_upload(harness: Harness) -> None:
    for kind, types in SUFFIXES.items():
        for content_type in types:
            body = {"kind": kind, "contentType": content_type, "bytes": 1}
            form = harness.call("requestUpload", body, episode_id=harness.create_episode()).body["form"]
            assert parse_upload(PREFIXES[kind], form["fields"]["key"], "v1") is not None


def test_an_unsupported_type_or_size_is_refused(harness: Harness) -> None:
    episode = harness.create_episode()
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({**TRANSCRIPT, "contentType": "video/mp4"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "contentType": "text/vtt"}, "TYPE_UNSUPPORTED", "contentType"),
        ({**VIDEO, "bytes": MAX_VIDEO_BYTES + 1}, "UPLOAD_TOO_LARGE", "bytes"),
        ({**TRANSCRIPT, "bytes": MAX_TRANSCRIPT_BYTES + 1}, "UPLOAD_TOO_LARGE", "bytes"),
        ({**TRANSCRIPT, "bytes": 0}, "MALFORMED", "bytes"),
    ]
    for upload_request, code, field in cases:
        answer = harness.call("requestUpload", upload_request, episode_id=episode)
        assert answer.error == (400, code)
        assert [problem["field"] for problem in answer.body["fields"]] == [field]
    assert harness.call("getEpisode", episode_id=episode).body["status"] == "draft"


def test_only_videos_above_the_form_limit_are_uploaded_in_parts(harness: Harness) -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({**VIDEO, "bytes": MAX_FORM_BYTES}, 0),
        (VIDEO, 2),
        ({**VIDEO, "bytes": MAX_VIDEO_BYTES}, 96),
        ({**TRANSCRIPT, "bytes": MAX_TRANSCRIPT_BYTES}, 0),
    ]
    for upload_request, part_count in cases:
        body = harness.call("requestUpload", upload_request, episode_id=harness.create_episode()).body
        assert len(body.get("multipart", {}).get("urls", ())) == part_count
        assert ("form" in body) is (part_count == 0)


@given(st.integers(1, 10**11))
def test_parts_have_an_allowed_size_and_at_most_a_hundred_cover_the_file(size: int) -> None:
    assert part_bytes(size) >= MIN_PART_BYTES
    assert size <= 100 * part_bytes(size)


def signed_part_urls(upload: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return path, multipart id, part number, validity and signed headers of each part's URL."""
    urls = [urlsplit(url) for url in upload["multipart"]["urls"]]
    names = ("uploadId", "partNumber", "X-Amz-Expires", "X-Amz-SignedHeaders")
    return [(url.path, *(parse_qs(url.query)[name] for name in names)) for url in urls]


def test_a_large_file_gets_urls_for_its_parts_which_can_be_signed_again(harness: Harness) -> None:
    episode = harness.create_episode()
    body = harness.request_upload(episode, size=SIZE)
    assert ("form" in body, body["multipart"]["partBytes"]) == (False, MIN_PART_BYTES)
    [started] = harness.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert signed_part_urls(body) == [
        (f"/{started['Key']}", [started["UploadId"]], [number], [str(PRESIGNED_SECONDS)], ["content-length;host"])
        for number in ("1", "2")
    ]
    before = harness.stored_items()
    answer = harness.call("signParts", episode_id=episode, upload_id=body["uploadId"])
    assert {**answer.body, "multipart": None} == {**body, "multipart": None}
    assert signed_part_urls(answer.body) == signed_part_urls(body)
    assert harness.stored_items() == before
    assert len(harness.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1, "no second upload may be started"


def test_the_url_of_a_part_is_signed_for_the_parts_size(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    sign = Mock(return_value="https://s3")
    monkeypatch.setattr(s3_of_the_api(), "generate_presigned_url", sign)
    harness.request_upload(harness.create_episode(), size=SIZE)
    sizes = [call.kwargs["Params"]["ContentLength"] for call in sign.call_args_list]
    assert sizes == [MIN_PART_BYTES, SIZE - MIN_PART_BYTES]


class MultipartVideo:
    """Multipart upload of a video in two parts, which are uploaded. A test completes the upload, with the correct request or with a changed one."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.episode = harness, harness.create_episode()
        upload = harness.request_upload(self.episode, size=SIZE)
        self.upload, self.key = upload["uploadId"], f"videos/{ANN}/{self.episode}/{upload['uploadId']}.mp4"
        (path, [multipart_id], *_), _ = signed_part_urls(upload)
        assert path == f"/{self.key}"
        self.etags = []
        for number, size in enumerate((MIN_PART_BYTES, SIZE - MIN_PART_BYTES), 1):
            answer = harness.s3.upload_part(
                Bucket=BUCKET, Key=self.key, UploadId=multipart_id, PartNumber=number, Body=b"x" * size
            )
            self.etags.append(answer["ETag"])

    def complete(self, etags: Any = None, **changes: Any) -> ApiResponse:
        """Call `completeUpload`, with other ETags, or with changes of the owner or the path parameters."""
        path = {"episode_id": self.episode, "upload_id": self.upload}
        body = {"etags": self.etags if etags is None else etags}
        return self.harness.call("completeUpload", body, **path | changes)

    def sign(self, **changes: Any) -> ApiResponse:
        """Call `signParts`, with the same changes."""
        return self.harness.call("signParts", **{"episode_id": self.episode, "upload_id": self.upload} | changes)

    def advance(self, state: TrackState) -> None:
        assert self.harness.advance(self.episode, self.upload, state)

    @property
    def object_exists(self) -> bool:
        return bool(self.harness.s3.list_objects_v2(Bucket=BUCKET).get("Contents"))


def test_a_completion_creates_the_object_and_can_be_repeated(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    video, before = MultipartVideo(harness), harness.stored_items()
    complete = Mock(wraps=s3_of_the_api().complete_multipart_upload)
    monkeypatch.setattr(s3_of_the_api(), "complete_multipart_upload", complete)
    answer = video.complete()
    assert (answer.status, answer.text) == (204, "")
    assert complete.call_args.kwargs["MpuObjectSize"] == SIZE, "S3 refuses parts of another total size"
    assert harness.stored_items() == before, "the event of S3 advances the track"
    head = harness.s3.head_object(Bucket=BUCKET, Key=video.key)
    assert (head["ContentLength"], head["ContentType"]) == (SIZE, "video/mp4")
    assert video.complete().status == 204, "a repeated completion gets the same response"
    video.advance(TrackState.CHUNKING)
    assert video.complete().status == 204


def test_other_parts_than_those_of_the_upload_are_refused(harness: Harness) -> None:
    video = MultipartVideo(harness)
    answer = video.complete(video.etags[:1])
    assert answer.error == (409, "UPLOAD_INCOMPLETE")
    assert answer.body["fields"] == [{"field": "etags", "rule": "must be the ETags of the 2 parts of this upload"}]
    for etags in (video.etags[::-1], [video.etags[0], "0" * 32]):
        assert video.complete(etags).error == (409, "UPLOAD_INCOMPLETE")
    assert video.complete([]).error == (400, "MALFORMED")
    assert not video.object_exists
    assert video.complete().status == 204, "the upload can still be completed"


def test_only_an_error_of_s3_that_the_client_caused_is_a_client_error(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HeadObject answers 403 for a missing object if the role may not list the bucket."""
    video = MultipartVideo(harness)
    cases: tuple[tuple[str, str | None, tuple[int, str]], ...] = (
        ("InternalError", None, (500, "INTERNAL")),
        ("InvalidRequest", None, (409, "UPLOAD_INCOMPLETE")),
        ("NoSuchUpload", None, (404, "UPLOAD_UNKNOWN")),
        ("NoSuchUpload", "403", (404, "UPLOAD_UNKNOWN")),
        ("NoSuchUpload", "503", (500, "INTERNAL")),
    )
    for complete_error, head_error, expected in cases:
        with monkeypatch.context() as patched:
            for method, code in (("complete_multipart_upload", complete_error), ("head_object", head_error)):
                if code is not None:
                    patched.setattr(s3_of_the_api(), method, Mock(side_effect=error(code)))
            assert video.complete().error == expected


def test_only_the_expected_upload_can_be_signed_and_completed(harness: Harness) -> None:
    video, other_video = MultipartVideo(harness), MultipartVideo(harness)
    small_video = harness.create_episode()
    others = (
        {"upload_id": harness.request_upload(video.episode, "transcript")["uploadId"]},
        {"episode_id": small_video, "upload_id": harness.request_upload(small_video)["uploadId"]},
        {"episode_id": harness.create_episode()},
        {"episode_id": other_video.episode},
    )
    for request in (video.complete, video.sign):
        assert [request(**path).error for path in others] == [(404, "UPLOAD_UNKNOWN")] * len(others)
        assert request(owner=BOB).error == (404, "EPISODE_UNKNOWN")
    harness.request_upload(video.episode, size=SIZE)
    assert video.complete().error == (404, "UPLOAD_UNKNOWN"), "a replaced upload must be refused"
    other_video.advance(TrackState.UPLOADED)
    assert other_video.sign().error == (409, "UPLOAD_NOT_EXPECTED"), "the upload is complete"
