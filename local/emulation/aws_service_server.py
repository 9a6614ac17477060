"""Base of the HTTP servers of Bedrock, MediaConvert and Transcribe's batch jobs.

`serve_signed` reads the access key of the caller, and returns an AwsError as AWS does. It does not verify the signature,
because it listens on loopback only, so every caller is a user of this machine.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from local.http_server import HttpRequest, HttpResponse, serve_json

_ACCESS_KEY = re.compile(r"Credential=([A-Za-z0-9]+)/")


class AwsError(Exception):
    """Refusal of a request. The server returns it as an error response that the AWS SDKs understand."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True)
class SignedRequest:
    """A request with the access key in its signature, which is not verified."""

    http: HttpRequest
    access_key: str


def serve_signed(respond: Callable[[SignedRequest], HttpResponse]) -> AbstractContextManager[int]:
    """Start a server that answers requests with `respond` while the `with` block runs. Yield its port."""

    def respond_or_refuse(request: HttpRequest) -> HttpResponse:
        try:
            return respond(SignedRequest(request, _access_key(request)))
        except AwsError as error:
            # SDKs read the code from the body in the protocol AWS JSON, and from the header in REST JSON.
            content = {"__type": error.code, "message": str(error)}
            return HttpResponse(content, error.status, {"x-amzn-ErrorType": error.code})

    return serve_json(respond_or_refuse)


def _access_key(request: HttpRequest) -> str:
    signed = _ACCESS_KEY.search(request.headers.get("authorization", ""))
    if signed is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", HTTPStatus.FORBIDDEN)
    return signed[1]


class Permissions(Protocol):
    """IAM permissions of the callers of an emulated service. `ServiceCallPermissions` has this method."""

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Return True if the owner of an access key may not perform an action. `context` are the condition keys."""


class ServiceAccount(Permissions, Protocol):
    """AWS account in which an emulated service acts: an `EmulatorAccount`, or a fake in tests without an emulator."""

    account: str
    """Account id."""
    region: str

    def can_assume(self, role_arn: str) -> bool:
        """Return True if the role exists and trusts the service."""

    def s3(self, role_arn: str, session_name: str) -> Any:
        """Return an S3 client with the permissions of a role, whose session gets this name."""

    def s3_of_caller(self, access_key: str) -> Any:
        """Return an S3 client with the permissions of the access key's owner."""

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Put an event about a resource (an ARN) on the default bus of EventBridge."""


def require_permission(
    permissions: Permissions, access_key: str, action: str, resource: str, context: Mapping[str, str] | None = None
) -> None:
    """Raise AwsError with the code AccessDeniedException unless the caller may perform the action."""
    if permissions.is_denied(access_key, action, resource, context or {}):
        message = f"User is not authorized to perform: {action} on resource: {resource}"
        raise AwsError("AccessDeniedException", message, HTTPStatus.FORBIDDEN)
