"""Tests of the presigned URLs of Amazon Transcribe's streams.

`signature` computes the signature of a URL step by step, as AWS documents it.
"""

import hashlib
import hmac
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio import Encoding
from handlers.transcription.transcribe_stream_urls import StreamRequest, presign_stream_url

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE/+canary=="
CREDENTIALS = Credentials(KEY, SECRET, TOKEN)
REQUEST = StreamRequest("en-US", 16000, Encoding.PCM, stabilised=True)
NOW = datetime(2026, 3, 4, 5, 6, 7)  # noqa: DTZ001 - botocore expects UTC without a time zone


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)


def signature(url: str, secret: str, region: str) -> str:
    """Return the signature that a URL must have.

    The steps are the canonical request, the string to sign, and a chain of four keys.
    """
    parts = urlsplit(url)
    default_port = {"ws": 80, "wss": 443}[parts.scheme]
    name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    host = name if parts.port in {None, default_port} else f"{name}:{parts.port}"
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True)
        if name != "X-Amz-Signature"
    )
    query_string = "&".join(f"{name}={value}" for name, value in query)
    hash_of_no_content = hashlib.sha256(b"").hexdigest()
    canonical_request = f"GET\n{parts.path}\n{query_string}\nhost:{host}\n\nhost\n{hash_of_no_content}"
    day, timestamp = NOW.strftime("%Y%m%d"), NOW.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{region}/transcribe/aws4_request"
    string_to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for message in (*scope.split("/"), string_to_sign):
        key = hmac.new(key, message.encode(), hashlib.sha256).digest()
    return key.hex()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True, keep_blank_values=True))


def test_a_url_names_the_regions_endpoint_and_the_parameters_of_the_stream() -> None:
    url = presign_stream_url(CREDENTIALS, "eu-central-1", REQUEST, expires_seconds=60)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("wss", "transcribestreaming.eu-central-1.amazonaws.com:8443")
    assert parts.path == "/stream-transcription-websocket"
    query = query_of(url)
    assert len(query.pop("X-Amz-Signature")) == 64
    assert query == {
        "language-code": "en-US",
        "media-encoding": "pcm",
        "sample-rate": "16000",
        "enable-partial-results-stabilization": "true",
        "partial-results-stability": "high",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY}/20260304/eu-central-1/transcribe/aws4_request",
        "X-Amz-Date": "20260304T050607Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": TOKEN,
    }


@pytest.mark.parametrize(
    "endpoint",
    [None, "ws://127.0.0.1:4567", "ws://127.0.0.1:80", "ws://localhost", "wss://example.com", "wss://[::1]:443"],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_signature_is_valid_for_any_endpoint_with_and_without_a_session_token(
    endpoint: str | None, token: str | None
) -> None:
    url = presign_stream_url(
        Credentials(KEY, SECRET, token), "eu-west-1", REQUEST, expires_seconds=300, endpoint=endpoint
    )
    assert query_of(url)["X-Amz-Signature"] == signature(url, SECRET, "eu-west-1")
    assert query_of(url).get("X-Amz-Security-Token") == token
    if endpoint is not None:
        assert url.startswith(f"{endpoint}/stream-transcription-websocket?")


@given(
    st.from_regex(r"[a-z]{2,3}-[A-Z]{2}", fullmatch=True) | st.text(min_size=1),
    st.integers(8000, 48000),
    st.sampled_from(Encoding),
    st.booleans(),
    st.integers(1, 300),
)
def test_special_characters_in_parameters_are_encoded_and_the_signature_is_valid(
    language: str, rate: int, encoding: Encoding, stabilised: bool, expires: int
) -> None:
    request = StreamRequest(language, rate, encoding, stabilised=stabilised)
    url = presign_stream_url(CREDENTIALS, "eu-west-1", request, expires_seconds=expires)
    query = query_of(url)
    assert query["X-Amz-Signature"] == signature(url, SECRET, "eu-west-1")
    assert query["language-code"] == language
    assert query["X-Amz-Expires"] == str(expires)
    assert any("partial" in name for name in query) is stabilised


@pytest.mark.parametrize("seconds", [0, 301])
def test_the_lifetime_of_a_url_must_be_1_to_300_seconds(seconds: int) -> None:
    with pytest.raises(ValueError, match="1 to 300"):
        presign_stream_url(CREDENTIALS, "eu-west-1", REQUEST, expires_seconds=seconds)


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1", "127.0.0.1:80", "ws://", "ws://host/path", "wss://host?x=1", "wss://host#f", "WSS://host"],
)
def test_an_endpoint_must_consist_of_a_websocket_scheme_host_and_port(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        presign_stream_url(CREDENTIALS, "eu-west-1", REQUEST, expires_seconds=1, endpoint=endpoint)


def test_credentials_that_are_refreshed_during_signing_are_not_mixed() -> None:
    class RefreshedCredentials(Credentials):
        """Credentials whose attributes differ from their frozen values, as after a refresh."""

        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            return ReadOnlyCredentials(KEY, SECRET, TOKEN)

    url = presign_stream_url(RefreshedCredentials(KEY, "another", "another"), "eu-west-1", REQUEST, expires_seconds=1)
    assert query_of(url)["X-Amz-Security-Token"] == TOKEN
    assert query_of(url)["X-Amz-Signature"] == signature(url, SECRET, "eu-west-1")
