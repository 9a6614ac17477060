"""The environment of somebody who may use AWS, as tests play it."""

import pytest


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that nobody has, and a region: boto3 asks for both, whoever answers."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
