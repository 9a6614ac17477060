"""Calls of AWS services: configuration of the clients, classification of failures, and parallel calls.

Importing this module also limits the log level of boto3 and its libraries.
"""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as Unreachable
from botocore.httpsession import MAX_POOL_CONNECTIONS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_ssm.client import SSMClient


class LambdaContext(Protocol):
    """The part of the Lambda context object that handlers use."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the invocation times out."""
        ...


# Lambda sets the function's log level for every logger. At DEBUG, these loggers would write requests and responses.
for name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(name).setLevel(logging.INFO)

MAX_WORKERS = MAX_POOL_CONNECTIONS
"""Maximum number of parallel calls: the number of connections that a client keeps open."""

CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})
"""Default configuration. Throttled calls are retried, and an attempt without a response ends after ten seconds."""

SHORT_TIMEOUT_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=0.8,
    retries={"mode": "standard", "total_max_attempts": 2},
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


class ServiceFault(StrEnum):
    """Reasons why an AWS call failed."""

    THROTTLED = "throttled"
    """The call exceeds a rate or token quota."""
    UNAVAILABLE = "unavailable"
    """The service or the model is temporarily unavailable or unreachable."""
    TIMED_OUT = "timed_out"
    """The model, or the response, took too long."""
    REFUSED = "refused"
    """The call is not permitted: permissions or credentials are missing or wrong."""
    MISSING = "missing"
    """The named resource or object does not exist."""
    REJECTED = "rejected"
    """The request is invalid, or its response is unreadable."""
    UNKNOWN = "unknown"
    """The error code is not in the table below, and the HTTP status is below 500. The call is not retried."""


TRANSIENT_FAULTS = frozenset([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, ServiceFault.TIMED_OUT])
"""Faults after which another attempt may succeed."""
_FAULTS_BY_CODE = {
    "ThrottlingException": ServiceFault.THROTTLED,
    "ProvisionedThroughputExceededException": ServiceFault.THROTTLED,
    "Throttling": ServiceFault.THROTTLED,
    "RequestLimitExceeded": ServiceFault.THROTTLED,
    "TooManyRequestsException": ServiceFault.THROTTLED,
    "ServiceQuotaExceededException": ServiceFault.THROTTLED,
    "ModelNotReadyException": ServiceFault.UNAVAILABLE,
    "ModelErrorException": ServiceFault.UNAVAILABLE,
    "ModelTimeoutException": ServiceFault.TIMED_OUT,
    "AccessDeniedException": ServiceFault.REFUSED,
    "AccessDenied": ServiceFault.REFUSED,
    "ResourceNotFoundException": ServiceFault.MISSING,
    "NoSuchKey": ServiceFault.MISSING,
    "UnrecognizedClientException": ServiceFault.REFUSED,
    "ExpiredTokenException": ServiceFault.REFUSED,
    "ValidationException": ServiceFault.REJECTED,
}
"""Faults by the error codes of the called services."""


def find_fault(error: ClientError | BotoCoreError) -> ServiceFault:
    """Return the reason why an AWS call failed."""
    match error:
        case ClientError():
            fault = _FAULTS_BY_CODE.get(error.response["Error"]["Code"])
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return fault or (ServiceFault.UNAVAILABLE if status >= 500 else ServiceFault.UNKNOWN)
        case ReadTimeoutError():
            return ServiceFault.TIMED_OUT
        case Unreachable() | HTTPClientError():
            return ServiceFault.UNAVAILABLE
        case _:
            # Invalid parameters, or a response that botocore cannot parse.
            return ServiceFault.REJECTED


def is_transient_failure(error: Exception) -> bool:
    """Return True if an AWS call failed and another attempt may succeed."""
    return isinstance(error, (ClientError, BotoCoreError)) and find_fault(error) in TRANSIENT_FAULTS


T = TypeVar("T")
R = TypeVar("R")


class ParallelCalls:
    """A fixed number of worker threads that call a function for many items."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)

    def call_all(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the results in the order of `items`. If calls fail, raise the first exception after all calls were made."""
        futures = [self._pool.submit(call, item) for item in items]
        wait(futures)
        return [future.result() for future in futures]


def secret_parameter(client: "SSMClient", name: str) -> Callable[[], str]:
    """Return a function that returns a secret, which it reads once per container, at its first call.

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
