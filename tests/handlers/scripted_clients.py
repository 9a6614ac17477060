"""boto3's clients with answers of the test's own, each held to the service's model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.stub import Stubber


@contextmanager
def stubbed(service: str) -> Iterator[tuple[Any, Stubber]]:
    """A client, and what it will be answered; all of it must have been asked for at the end."""
    make: Any = boto3.client
    client = make(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()
    client.close()
