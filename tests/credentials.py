"""Fake AWS credentials in the environment."""

import pytest


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set invalid keys and a Region. boto3 requires both, also for fake services."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
