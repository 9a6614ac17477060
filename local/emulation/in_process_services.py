"""Starts the local services that run in the emulator's process: MediaConvert, Bedrock and Transcribe's batch jobs.

They run there because they check the roles of their callers, and because only the emulator itself may send events whose
source is `aws.…`. Handlers find the services through `AWS_ENDPOINT_URL_<SERVICE>`.
"""

import contextlib
import os

from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local import LOOPBACK
from local.emulation.bedrock import converse_service
from local.emulation.bedrock.converse_permissions import ModelPermissions
from local.emulation.emulated_service_access import EmulatorAccount
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.mediaconvert import mediaconvert_service
from local.emulation.transcribe import transcription_jobs

_running_services = contextlib.ExitStack()
"""Context of the running services. It stays open until the process ends."""


def install(permissions: ServiceCallPermissions) -> None:
    """Start the services, and set the variables with their URLs."""
    set_request_account_id("")  # the default account applies, because no request is being served
    media_convert = EmulatorAccount(permissions, mediaconvert_service.SERVICE, "queues/Default")
    # Transcribe acts with its caller's credentials and assumes no role, so no trust policy ever checks this ARN.
    transcribe = EmulatorAccount(permissions, "transcribe.amazonaws.com", "transcription-job/any")
    services = {
        "MEDIACONVERT": mediaconvert_service.serve(media_convert),
        "TRANSCRIBE": transcription_jobs.serve(transcribe),
        "BEDROCK_RUNTIME": converse_service.serve(ModelPermissions(get_region(), get_account_id(), permissions)),
    }
    for name, service in services.items():
        os.environ[f"AWS_ENDPOINT_URL_{name}"] = f"http://{LOOPBACK}:{_running_services.enter_context(service)}"
