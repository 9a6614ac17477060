"""The local MediaConvert, in the emulator's own process: what it needs of the account, it asks the emulator itself.

So its events come from `aws.mediaconvert`, as nobody else's may, and nobody has to be let through for it. Its callers
are judged by their roles; it takes a role as far as the role trusts it, and works in that role's name.
"""

import contextlib
import os
from typing import Any

from ministack.core.responses import set_request_account_id

from local import LOOPBACK
from local.patches.accounts import Account
from local.patches.itself import s3_of
from local.patches.service_roles import ServiceRoles
from local.patches.sessions import opened
from local.services import mediaconvert

ENDPOINT = "AWS_ENDPOINT_URL_MEDIACONVERT"
_running = contextlib.ExitStack()
"""Until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells every handler where it is."""
    set_request_account_id("")
    port = _running.enter_context(mediaconvert.serve(MediaConvertAccount(roles)))
    os.environ[ENDPOINT] = f"http://{LOOPBACK}:{port}"


class MediaConvertAccount(Account):
    """What MediaConvert needs of an account."""

    def __init__(self, roles: ServiceRoles) -> None:
        super().__init__(roles, mediaconvert.SERVICE, "queues/Default")

    def s3(self, role_arn: str, job_id: str) -> Any:
        """A client in the name of a role."""
        return s3_of(opened(role_arn, job_id).boto3())
