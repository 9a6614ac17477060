"""The URLs of parts equal those that botocore presigns for each part."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore import auth
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.client_config import LIVE_CONFIG, build_presigning_config
from handlers.livestream.episodes_api.part_url_signing import SecretKeyChanged, sign_part_urls

SECRET = "s" * 40
NAMES = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable() and text.strip("./"))


@cache
def client(token: str | None, endpoint: str | None) -> Any:
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", SECRET, token, region_name="eu-west-1")
    return session.client("s3", endpoint_url=endpoint, config=LIVE_CONFIG.merge(build_presigning_config()))


def presign(s3: Any, key: str, upload_id: str, number: int) -> str:
    parameters = {"Bucket": "recordings", "Key": key, "UploadId": upload_id, "PartNumber": number}
    url: str = s3.generate_presigned_url("upload_part", Params=parameters, ExpiresIn=600)
    return url


@given(
    NAMES,
    NAMES,
    st.sampled_from([None, "a+token/with=signs"]),
    st.sampled_from([None, "http://127.0.0.1:4566"]),
    st.integers(1, 12),
)
def test_each_url_equals_that_of_botocore(
    key: str, upload_id: str, token: str | None, endpoint: str | None, parts: int
) -> None:
    s3 = client(token, endpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda **_: datetime(2026, 1, 3, 12, tzinfo=UTC))
        expected = [presign(s3, key, upload_id, number) for number in range(1, parts + 1)]
    assert sign_part_urls(expected[0], SECRET, parts) == expected


def test_a_key_that_did_not_sign_the_first_url_is_refused() -> None:
    with pytest.raises(SecretKeyChanged):
        sign_part_urls(presign(client(None, None), "videos/a.mp4", "u", 1), "other", 3)
