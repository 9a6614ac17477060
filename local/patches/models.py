"""The local Bedrock, in the emulator's own process, so that its callers are judged by their roles."""

import contextlib
import os

from ministack.core.responses import get_account_id, get_region

from local import LOOPBACK
from local.patches.service_roles import ServiceRoles
from local.services import bedrock
from local.services.bedrock_access import Guard

ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
_running = contextlib.ExitStack()
"""Until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells every handler where it is."""
    port = _running.enter_context(bedrock.serve(Guard(get_region(), get_account_id(), roles)))
    os.environ[ENDPOINT] = f"http://{LOOPBACK}:{port}"
