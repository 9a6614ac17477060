"""Access of our emulated services to the emulator's AWS account.

`EmulatorAccount` is for MediaConvert and Transcribe. They check their callers' permissions, and read and write S3.
MediaConvert also sends events. Batch, Glue and Step Functions get the credentials of a role from `open_session`.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region, set_request_account_id, set_request_region
from ministack.services import eventbridge, sts

from local import LOOPBACK
from local.emulation import get_private
from local.emulation.iam.service_call_permissions import ServiceCallPermissions, role_trusts

ROOT_KEY = "test"
"""Access key and secret of the account's root user, who may do everything."""


def endpoint() -> str:
    """Return the URL of the emulator, which reads its port from the environment variable `GATEWAY_PORT`."""
    return f"http://{LOOPBACK}:{os.environ['GATEWAY_PORT']}"


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials of a role."""

    key: str
    secret: str
    token: str

    def to_session(self) -> boto3.Session:
        return boto3.Session(self.key, self.secret, self.token, get_region())


def open_session(role_arn: str, name: str) -> RoleCredentials:
    """Create a session of a role, without a check of its trust policy. Equal arguments give equal credentials."""
    digest = hashlib.sha256(f"{role_arn}:{name}".encode()).hexdigest()
    credentials = RoleCredentials(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    role = role_arn.rpartition("/")[2]
    get_private(sts, "register_session")(
        credentials.key,
        {
            "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/{name}",
            "UserId": f"{role}:{name}",
            "SecretAccessKey": credentials.secret,
            "SessionToken": credentials.token,
        },
    )
    return credentials


class EmulatorAccount:
    """The emulator's account, as one emulated AWS service uses it (the protocol `ServiceAccount`)."""

    def __init__(self, permissions: ServiceCallPermissions, service: str, source: str) -> None:
        """`service` is the service's principal, for example `mediaconvert.amazonaws.com`.

        `source` is the last part of the ARN that the service sends as `aws:SourceArn` when it assumes a role, for
        example `queues/Default`.
        """
        self._permissions = permissions
        self._service = service
        self.account = get_account_id()
        self.region = get_region()
        self._source = f"arn:aws:{service.partition('.')[0]}:{self.region}:{self.account}:{source}"

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        return self._permissions.is_denied(access_key, action, resource, context)

    def can_assume(self, role_arn: str) -> bool:
        """Return True if the role exists and its trust policy allows the service to assume it."""
        return role_trusts(role_arn, self._service, {"aws:SourceAccount": self.account, "aws:SourceArn": self._source})

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Put an event on the default bus. Unlike in a `PutEvents` request, `source` may begin with `aws.`."""
        set_request_account_id("")  # the default account applies, because no request is being served
        set_request_region(self.region)
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": [resource]}
        get_private(eventbridge, "_put_events")({"Entries": [entry]}, allow_aws_source=True)

    def s3(self, role_arn: str, session_name: str) -> Any:
        return _s3(open_session(role_arn, session_name).to_session())

    def s3_of_caller(self, access_key: str) -> Any:
        """Return an S3 client with the credentials of an access key's session. Without a session, use the root user's."""
        session = get_private(sts, "_sessions").get(access_key)
        if session is None:
            return _s3(boto3.Session(ROOT_KEY, ROOT_KEY, region_name=self.region))
        return _s3(boto3.Session(access_key, session["SecretAccessKey"], session["SessionToken"], self.region))


def _s3(session: boto3.Session) -> Any:
    config = Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
    return session.client("s3", endpoint_url=endpoint(), config=config)
