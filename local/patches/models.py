"""The local Bedrock, in the emulator's own process, so that its callers are judged by their roles."""

import asyncio
import os
import threading
from concurrent.futures import Future

from ministack.core.responses import get_account_id, get_region

from local import LOOPBACK
from local.patches.service_roles import ServiceRoles
from local.services import bedrock
from local.services.bedrock_access import Guard

ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
START_SECONDS = 10


def install(roles: ServiceRoles) -> None:
    """Starts it, and tells every handler where it is."""
    port: Future[int] = Future()
    threading.Thread(target=lambda: asyncio.run(_serve(roles, port)), name="bedrock", daemon=True).start()
    os.environ[ENDPOINT] = f"http://{LOOPBACK}:{port.result(START_SECONDS)}"


async def _serve(roles: ServiceRoles, port: "Future[int]") -> None:
    try:
        async with bedrock.serve(guard=Guard(get_region(), get_account_id(), roles.denied)) as found:
            port.set_result(found)
            await asyncio.Event().wait()  # until the process ends
    except OSError as error:
        port.set_exception(error)
