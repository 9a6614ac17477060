"""Calls of AWS services: configuration of the boto3 clients, classification of failures, and helpers for some calls.

Importing this module also limits the log level of boto3 and its libraries.
"""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unreachable
from botocore.httpsession import MAX_POOL_CONNECTIONS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_ssm.client import SSMClient


# Lambda sets the function's log level for every logger. At DEBUG, these loggers would write data of customers.
for name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(name).setLevel(logging.INFO)

MAX_WORKERS = MAX_POOL_CONNECTIONS
"""Maximum number of parallel calls: the number of connections that a client keeps open."""
CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})
"""Default configuration. Calls that fail for a transient reason, such as throttling or a timeout, are retried."""

SHORT_TIMEOUT_CONFIG = Config(
    connect_timeout=0.5, read_timeout=0.8, retries={"mode": "standard", "total_max_attempts": 2}
)
"""Configuration for work that a user waits for in real time, so that a late response would be useless."""


def build_presigning_config(*, accelerated: bool = False) -> Config:
    """Return the configuration of an S3 client that creates presigned URLs and forms.

    The URLs name the regional endpoint of S3, or the endpoint of S3 Transfer Acceleration if `accelerated` is True. The
    global endpoint would answer a form with a redirect. Buckets with a KMS key require signature version 4.
    """
    return Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "virtual",
            "us_east_1_regional_endpoint": "regional",
            "use_accelerate_endpoint": accelerated,
        },
    )


PRESIGNED_SECONDS = 900
"""Lifetime of presigned URLs. It equals the shortest lifetime of credentials that AWS STS issues for a role
(AssumeRole), because a URL with a longer lifetime could outlive its credentials."""

_TRANSIENT_CODES = frozenset(
    {
        *("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"),
        *("ProvisionedThroughputExceededException", "ServiceQuotaExceededException"),
        *("ModelNotReadyException", "ModelErrorException", "ModelTimeoutException"),
    }
)
"""Error codes of the called services after which another attempt may succeed, although the status is below 500."""

UNREADABLE_CODES = frozenset({"InvalidRequest", "InvalidObjectState"})
"""S3's error codes for reading an object that its uploader encrypted with a customer-provided key (SSE-C), or stored in
an archive storage class. A retry would fail too, so callers reject the object."""


def is_transient_failure(error: Exception) -> bool:
    """Return True if another attempt may succeed: AWS throttled the call, failed, or did not answer in time."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response["Error"]["Code"] in _TRANSIENT_CODES
    return isinstance(error, (Unreachable, HTTPClientError))


def error_name(error: Exception) -> str:
    """Return the code of an error answer of AWS, or the class of any other exception."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


T = TypeVar("T")
R = TypeVar("R")


class ParallelCalls:
    """A fixed number of worker threads that call a function for many items."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)

    def call_all(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the results in the order of `items`. If calls fail, raise one of the exceptions after all have ended."""
        futures = [self._pool.submit(call, item) for item in items]
        wait(futures)
        return [future.result() for future in futures]


def secret_parameter(client: "SSMClient", name: str) -> Callable[[], str]:
    """Return a function that returns an SSM parameter, decrypted. It reads it once per container, at its first call.

    A deployment that changes the secret starts new containers, which read the new value. A failure is not cached, so the
    next call tries again.
    """

    @cache
    def read() -> str:
        return client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]

    return read


class PartlyFailed(Exception):
    """A service carried out only a part of a request. A repetition carries out the rest."""


def delete_versions(client: "S3Client", bucket: str, prefix: str) -> int:
    """Delete every version of the objects below a prefix; return their number. Raises PartlyFailed."""
    count = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        # A page has at most 1,000 versions, the maximum of one DeleteObjects request.
        listed: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects: list[Any] = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]
        if objects and client.delete_objects(Bucket=bucket, Delete={"Objects": objects}).get("Errors"):
            raise PartlyFailed
        count += len(objects)
    return count
