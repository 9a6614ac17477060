"""What tests of the media job act on."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.credentials import credentials
from tests.handlers.meetings.media_job.job_harness import BUCKET, JobHarness


@cache
def _client() -> Any:
    """Made once: most of a test's time would be its."""
    return boto3.client("s3")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[JobHarness]:
    """A bucket, empty."""
    credentials(monkeypatch)
    with mock_aws():
        s3 = _client()
        s3.create_bucket(Bucket=BUCKET)
        yield JobHarness(s3, tmp_path)
