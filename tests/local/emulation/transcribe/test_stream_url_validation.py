"""Tests of the validation of presigned URLs: those of the handlers are accepted, and changed ones refused, as on AWS."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from botocore.credentials import Credentials

from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import StreamRequest, presign_stream_url
from local.emulation.transcribe.stream_url_validation import (
    InvalidStreamRequest,
    StreamSettings,
    find_refusal,
    parse_settings,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)


def presign(*, token: str | None = None, stabilised: bool = True, encoding: Encoding = Encoding.PCM) -> str:
    request = StreamRequest("en-US", 16000, encoding, stabilised=stabilised)
    url = presign_stream_url(Credentials("key", "secret", token), "eu-west-1", request)
    return url.removeprefix("wss://transcribestreaming.eu-west-1.amazonaws.com:8443")


@pytest.mark.parametrize(
    ("token", "stabilised", "encoding"),
    [(None, True, "pcm"), ("to/ken+==", True, "flac"), ("to/ken+==", False, "ogg-opus")],
)
def test_a_url_that_the_handlers_presign_is_accepted(token: str | None, stabilised: bool, encoding: Encoding) -> None:
    url = presign(token=token, stabilised=stabilised, encoding=encoding)
    assert find_refusal(url, NOW) is None
    assert parse_settings(url) == StreamSettings("en-US", encoding, 16000, stabilised)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, None), (60, None), (61, HTTPStatus.FORBIDDEN), (-300, None), (-301, HTTPStatus.FORBIDDEN)],
)
def test_a_url_is_valid_for_its_time_and_five_minutes_before(seconds: int, status: HTTPStatus | None) -> None:
    assert find_refusal(presign(), NOW + timedelta(seconds=seconds)) == status


@pytest.mark.parametrize(
    ("old", "new"),
    [("%2Ftranscribe%2F", "%2Fs3%2F"), ("X-Amz-Expires=60", "X-Amz-Expires=301"), ("X-Amz-Signature=", "X-Amz-Other=")],
    ids=["another service", "too long a validity", "no signature"],
)
def test_a_url_with_an_invalid_signature_is_refused(old: str, new: str) -> None:
    url = presign().replace(old, new)
    assert url != presign()
    assert find_refusal(url, NOW) is HTTPStatus.FORBIDDEN


def test_another_path_is_not_found() -> None:
    assert find_refusal(presign().replace("-websocket?", "?"), NOW) is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("language-code=en-US&", ""),
        ("media-encoding=pcm", "media-encoding=mp3"),
        ("stabilization=true", "stabilization=false"),
        ("language-code=en-US", "language-code=en-US&languagecode=en-US"),
    ],
    ids=["no language", "unsupported encoding", "stability without stabilization", "unknown parameter"],
)
def test_an_invalid_parameter_is_a_bad_request(old: str, new: str) -> None:
    url = presign().replace(old, new)
    assert url != presign()
    with pytest.raises(InvalidStreamRequest):
        parse_settings(url)
