"""The local MediaConvert, Transcribe (batch API) and Bedrock, in the emulator's process.

They run here because their callers are judged by their roles, and because only the emulator itself may send events
whose source is `aws.…`. Handlers find them by `AWS_ENDPOINT_URL_<SERVICE>`.
"""

import contextlib
import os

from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local import LOOPBACK
from local.patches.account import Account
from local.patches.service_roles import ServiceRoles
from local.services import bedrock, mediaconvert, transcribe_batch
from local.services.bedrock_access import Guard

_running = contextlib.ExitStack()
"""Open until the process ends."""


def install(roles: ServiceRoles) -> None:
    """Start the services, and set the variables that lead to them."""
    set_request_account_id("")
    media_convert = Account(roles, mediaconvert.SERVICE, "queues/Default")
    transcribe = Account(roles, "transcribe.amazonaws.com", "transcription-job/any")
    services = {
        "MEDIACONVERT": mediaconvert.serve(media_convert),
        "TRANSCRIBE": transcribe_batch.serve(transcribe),
        "BEDROCK_RUNTIME": bedrock.serve(Guard(get_region(), get_account_id(), roles)),
    }
    for name, service in services.items():
        os.environ[f"AWS_ENDPOINT_URL_{name}"] = f"http://{LOOPBACK}:{_running.enter_context(service)}"
