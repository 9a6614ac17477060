"""The reader reads one version of an object, up to the size limit of a transcript."""

import io

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from handlers.livestream import s3_object_reader
from handlers.livestream.s3_object_reader import ObjectReader
from tests.handlers.scripted_clients import stubbed


@pytest.mark.parametrize("version", [{}, {"VersionId": "v1"}])
def test_the_named_or_the_newest_version_is_read_up_to_the_limit(
    version: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_object_reader, "MAX_OBJECT_BYTES", 3)
    with stubbed("s3") as (client, stubber):
        body = StreamingBody(io.BytesIO(b"abcdef"), 6)
        stubber.add_response("get_object", {"Body": body}, {"Bucket": "b", "Key": "k", **version})
        read = ObjectReader(client, "b").read("k", version.get("VersionId"))
    assert read == b"abcd", "the byte after the limit shows that the object is too large"


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "MethodNotAllowed"])
def test_a_missing_object_is_read_as_none(code: str) -> None:
    with stubbed("s3") as (client, stubber):
        stubber.add_client_error("get_object", code)
        assert ObjectReader(client, "b").read("k", "v1") is None


def test_any_other_error_is_raised() -> None:
    with stubbed("s3") as (client, stubber):
        stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError):
            ObjectReader(client, "b").read("k")
