"""Fake AWS account in memory, and boto3 clients of the local services."""

import io
import queue
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TIMEOUT_SECONDS = 20.0
"""Timeout of everything that a test waits for. A successful test never waits so long."""
ACCESS_KEY = "KEY"
"""Access key id of the clients."""


@dataclass
class Account:
    """Account in which a local service acts, in place of the emulator's account. A test sets objects and permissions."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Content of the S3 objects by bucket and key."""
    denied_actions: set[str] = field(default_factory=set)
    """Denied actions: `s3:GetObject` for every caller, `s3:GetObject CALLER` for one caller, given by its access key or
    role ARN."""
    roles_trust_service: bool = True
    permission_checks: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)
    """Access key, action, resource and context of each check."""
    events: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)
    """Details of the events that were put."""
    account: str = "123456789012"
    region: str = "us-east-1"

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        self.permission_checks.append((access_key, action, resource, context))
        return action in self.denied_actions

    def can_assume(self, _role_arn: str) -> bool:
        return self.roles_trust_service

    def s3(self, role_arn: str, session_name: str) -> "MemoryS3":
        assert session_name
        return MemoryS3(self, role_arn)

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        assert all((source, detail_type, resource))
        self.events.put(dict(detail))

    def s3_of_caller(self, access_key: str) -> "MemoryS3":
        return MemoryS3(self, access_key)


@dataclass
class MemoryS3:
    """Fake S3 client with the operations that the services use. It has the permissions of a caller or a role."""

    account: Account
    caller: str

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._check("GetObject")
        if (Bucket, Key) not in self.account.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(self.account.objects[Bucket, Key])}

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> None:  # noqa: N803
        assert ContentType or not Body
        self._check("PutObject")
        self.account.objects[Bucket, Key] = Body

    def _check(self, operation: str) -> None:
        if self.account.denied_actions & {f"s3:{operation}", f"s3:{operation} {self.caller}"}:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, operation)


def create_client(service: str, port: int) -> Any:
    """Return a boto3 client of a local service that also sends requests that violate the service's model."""
    create: Any = boto3.client
    return create(
        service,
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key="secret",
        config=Config(
            retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False, read_timeout=TIMEOUT_SECONDS
        ),
    )
