"""Addresses: what ours are, the local Transcribe takes; everything else it refuses, or rejects once it is open."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

import pytest
from botocore.credentials import Credentials

from handlers.transcription.signing import Encoding, StreamRequest, presigned_url
from local.services.transcribe_requests import Asked, BadRequest, asked, refusal

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)


def address(*, token: str | None = None, stabilised: bool = True, encoding: Encoding = "pcm", expires: int = 60) -> str:
    request = StreamRequest("en-US", 16000, encoding, stabilised=stabilised)
    url = presigned_url(Credentials("key", "secret", token), "eu-west-1", request, expires_seconds=expires)
    return url.removeprefix("wss://transcribestreaming.eu-west-1.amazonaws.com:8443")


@pytest.mark.parametrize("token", [None, "to/ken+=="])
@pytest.mark.parametrize("stabilised", [True, False])
@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
def test_our_addresses_are_taken(token: str | None, stabilised: bool, encoding: Encoding) -> None:
    ours = address(token=token, stabilised=stabilised, encoding=encoding)
    assert refusal(ours, NOW) is None
    assert asked(ours) == Asked(encoding, 16000, stabilised)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, None), (60, None), (61, HTTPStatus.FORBIDDEN), (-300, None), (-301, HTTPStatus.FORBIDDEN)],
)
def test_an_address_is_good_for_its_time(seconds: int, status: HTTPStatus | None) -> None:
    assert refusal(address(expires=60), NOW + timedelta(seconds=seconds)) == status


def test_another_path_is_not_there() -> None:
    assert refusal(address().replace("-websocket?", "?"), NOW) is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "name",
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"],
)
def test_every_part_of_the_signature_must_be_there_once(name: str) -> None:
    ours = address()
    [part] = [one for one in ours.split("&") if one.startswith(f"{name}=")]
    assert refusal(ours.replace(f"&{part}", ""), NOW) is HTTPStatus.FORBIDDEN
    assert refusal(f"{ours}&{part}", NOW) is HTTPStatus.FORBIDDEN
    assert refusal(ours.replace(part, f"{name}="), NOW) is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        (quote("/transcribe/", safe=""), quote("/s3/", safe="")),
        (quote("/20260304/", safe=""), quote("/20260303/", safe="")),
        ("X-Amz-Date=20260304T", "X-Amz-Date=20269904T"),
        ("X-Amz-Expires=60", "X-Amz-Expires=301"),
        ("X-Amz-Expires=60", "X-Amz-Expires=0"),
        ("SignedHeaders=host", "SignedHeaders=accept"),
    ],
)
def test_a_signature_for_something_else_is_refused(old: str, new: str) -> None:
    changed = address().replace(old, new)
    assert changed != address()
    assert refusal(changed, NOW) is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("language-code=en-US", "language-code=english"),
        ("language-code=en-US&", ""),
        ("media-encoding=pcm", "media-encoding=mp3"),
        ("sample-rate=16000", "sample-rate=7999"),
        ("sample-rate=16000", "sample-rate=48001"),
        ("sample-rate=16000", "sample-rate=high"),
        ("stability=high", "stability=total"),
        ("stabilization=true", "stabilization=false"),
        ("language-code=en-US", "language-code=en-US&languagecode=en-US"),
    ],
)
def test_a_request_for_something_else_is_bad(old: str, new: str) -> None:
    changed = address().replace(old, new)
    assert changed != address()
    with pytest.raises(BadRequest):
        asked(changed)
