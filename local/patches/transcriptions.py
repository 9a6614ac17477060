"""The local Transcribe's batch API, in the emulator's own process: its callers are judged, and it works in their name."""

import contextlib
import os
from typing import Any

import boto3
from ministack.core.responses import set_request_account_id
from ministack.services import sts

from local import LOOPBACK
from local.patches import reached
from local.patches.accounts import Account
from local.patches.itself import OWNER, s3_of
from local.patches.service_roles import ServiceRoles
from local.services import transcribe_batch

ENDPOINT = "AWS_ENDPOINT_URL_TRANSCRIBE"
_running = contextlib.ExitStack()
"""Until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells everybody where it is."""
    set_request_account_id("")
    port = _running.enter_context(transcribe_batch.serve(TranscribeAccount(roles)))
    os.environ[ENDPOINT] = f"http://{LOOPBACK}:{port}"


class TranscribeAccount(Account):
    """What Transcribe needs of an account."""

    def __init__(self, roles: ServiceRoles) -> None:
        super().__init__(roles, "transcribe.amazonaws.com", "transcription-job/any")

    def s3_of_caller(self, access_key: str) -> Any:
        """A client with a caller's own credentials: AWS hands his rights on from service to service."""
        known = reached(sts, "_sessions").get(access_key)
        if known is None:
            return s3_of(boto3.Session(OWNER, OWNER, region_name=self.region))
        return s3_of(boto3.Session(access_key, known["SecretAccessKey"], known["SessionToken"], self.region))
