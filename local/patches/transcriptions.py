"""The local Transcribe's batch API, in the emulator's own process: its callers are judged, and it works in their name."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region, set_request_account_id
from ministack.services import sts

from local.patches import reached
from local.patches.bus import emit
from local.patches.service_roles import ServiceRoles
from local.patches.sessions import opened
from local.patches.trust import trusts
from local.services import transcribe_batch

ENDPOINT = "AWS_ENDPOINT_URL_TRANSCRIBE"
OWNER = "test"
"""Key and secret of the account's owner, who has no session."""
_running = contextlib.ExitStack()
"""Until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells everybody where it is."""
    set_request_account_id("")
    port = _running.enter_context(transcribe_batch.serve(Account(roles)))
    os.environ[ENDPOINT] = f"http://127.0.0.1:{port}"


class Account:
    """The emulator's account, to a service in it."""

    def __init__(self, roles: ServiceRoles) -> None:
        self._roles = roles
        self.account = get_account_id()
        self.region = get_region()

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether a caller may not do something: judged from his role's own policies; the account's owner may."""
        return self._roles.denied(access_key, action, resource, context)

    def assumable(self, role_arn: str) -> bool:
        """Whether there is such a role, and it trusts Transcribe."""
        keys = {
            "aws:SourceAccount": self.account,
            "aws:SourceArn": f"arn:aws:transcribe:{self.region}:{self.account}:transcription-job/any",
        }
        return trusts(role_arn, transcribe_batch.SERVICE, keys)

    def s3_of_caller(self, access_key: str) -> Any:
        """A client with a caller's own credentials: AWS hands his rights on from service to service."""
        known = reached(sts, "_sessions").get(access_key)
        if known is None:
            return self._s3(boto3.Session(OWNER, OWNER, region_name=self.region))
        return self._s3(boto3.Session(access_key, known["SecretAccessKey"], known["SessionToken"], self.region))

    def s3_of_role(self, role_arn: str, name: str) -> Any:
        """A client in the name of a role."""
        return self._s3(opened(role_arn, name).boto3())

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Puts an event on the default bus."""
        emit(self.region, source, detail_type, detail, [resource] if resource else [])

    @staticmethod
    def _s3(session: boto3.Session) -> Any:
        return session.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        )
