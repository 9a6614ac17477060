"""One version of a transcript is read, and not more of it than is taken."""

import io

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from handlers.livestream import transcript_bucket
from handlers.livestream.transcript_bucket import TranscriptBucket
from tests.handlers.clients import stubbed

WANTED = {"Bucket": "b", "Key": "transcripts/k", "VersionId": "v1"}


def test_that_version_is_read_which_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript_bucket, "MAX_BYTES", 3)
    with stubbed("s3") as (client, stubber):
        stubber.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"abcdef"), 6)}, WANTED)
        assert TranscriptBucket(client, "b").read("transcripts/k", "v1") == b"abcd", (
            "one byte tells that it is too large"
        )


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("NoSuchVersion", 404), ("MethodNotAllowed", 405)])
def test_a_transcript_that_is_gone_is_none(code: str, status: int) -> None:
    with stubbed("s3") as (client, stubber):
        stubber.add_client_error("get_object", code, http_status_code=status)
        assert TranscriptBucket(client, "b").read("transcripts/k", "v1") is None


def test_any_other_error_is_raised() -> None:
    with stubbed("s3") as (client, stubber):
        stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError):
            TranscriptBucket(client, "b").read("transcripts/k", "v1")
