"""The local MediaConvert, Transcribe (batch API) and Bedrock, in the emulator's process.

They run here because their callers are judged by their roles, and because only the emulator itself may send events
whose source is `aws.…`. Handlers find them by `AWS_ENDPOINT_URL_<SERVICE>`.
"""

import asyncio
import contextlib
import os
import threading
from concurrent.futures import Future

from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local import LOOPBACK
from local.patches.account import Account
from local.patches.service_roles import ServiceRoles
from local.services import bedrock, mediaconvert, transcribe_batch
from local.services.bedrock_access import Guard

START_SECONDS = 10
_running = contextlib.ExitStack()
"""Open until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Start the services, and set the variables that lead to them."""
    set_request_account_id("")
    media_convert = Account(roles, mediaconvert.SERVICE, "queues/Default")
    transcribe = Account(roles, transcribe_batch.SERVICE, "transcription-job/any")
    ports = {
        "MEDIACONVERT": _running.enter_context(mediaconvert.serve(media_convert)),
        "TRANSCRIBE": _running.enter_context(transcribe_batch.serve(transcribe)),
        "BEDROCK_RUNTIME": _start_bedrock(roles),
    }
    os.environ.update({f"AWS_ENDPOINT_URL_{name}": f"http://{LOOPBACK}:{port}" for name, port in ports.items()})


def _start_bedrock(roles: ServiceRoles) -> int:
    """Serve Bedrock in a thread with an event loop of its own; return the port."""
    port: Future[int] = Future()

    async def serve() -> None:
        try:
            async with bedrock.serve(guard=Guard(get_region(), get_account_id(), roles.denied)) as found:
                port.set_result(found)
                await asyncio.Event().wait()  # until the process ends
        except OSError as error:
            port.set_exception(error)

    threading.Thread(target=lambda: asyncio.run(serve()), name="bedrock", daemon=True).start()
    return port.result(START_SECONDS)
