"""Fixtures for tests of the media job."""

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
    """Return a cached client, because creating one would take most of a test's time."""
    return boto3.client("s3")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[JobHarness]:
    """The media job with an empty bucket."""
    credentials(monkeypatch)
    with mock_aws():
        s3 = _client()
        s3.create_bucket(Bucket=BUCKET)
        yield JobHarness(s3, tmp_path)
