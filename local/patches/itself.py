"""The emulator to whatever runs in its process: where it is, whose account it has, and S3 in somebody's name."""

import os
from typing import Any

import boto3
from botocore.config import Config

from local import LOOPBACK

OWNER = "test"
"""Key and secret of the account's owner, who has no session."""


def endpoint() -> str:
    """Its address."""
    return f"http://{LOOPBACK}:{os.environ['GATEWAY_PORT']}"


def s3_of(session: boto3.Session) -> Any:
    """A client in somebody's name."""
    config = Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
    return session.client("s3", endpoint_url=endpoint(), config=config)
