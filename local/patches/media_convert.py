"""The local MediaConvert, in the emulator's own process: what it needs of the account, it asks the emulator itself.

So its events come from `aws.mediaconvert`, as nobody else's may, and nobody has to be let through for it. Its callers
are judged by their roles; it takes a role as far as the role trusts it, and works in that role's name.
"""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local.patches.bus import emit
from local.patches.service_roles import ServiceRoles
from local.patches.sessions import opened
from local.patches.trust import trusts
from local.services import mediaconvert

ENDPOINT = "AWS_ENDPOINT_URL_MEDIACONVERT"
_running = contextlib.ExitStack()
"""Until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells every handler where it is."""
    set_request_account_id("")
    port = _running.enter_context(mediaconvert.serve(Account(roles)))
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
        """Whether there is such a role, and it trusts MediaConvert."""
        keys = {"aws:SourceAccount": self.account, "aws:SourceArn": f"{self._arn}:queues/Default"}
        return trusts(role_arn, mediaconvert.SERVICE, keys)

    def s3(self, role_arn: str, job_id: str) -> Any:
        """A client in the name of a role."""
        return (
            opened(role_arn, job_id)
            .boto3()
            .client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
                config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
            )
        )

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Puts an event on the default bus."""
        emit(self.region, source, detail_type, detail, [resource])

    @property
    def _arn(self) -> str:
        return f"arn:aws:mediaconvert:{self.region}:{self.account}"
