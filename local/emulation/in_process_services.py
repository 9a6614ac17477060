"""Starts the emulated AWS services that run in the emulator's process: MediaConvert, Bedrock and Transcribe batch jobs.

They run in this process because they check IAM permissions with the emulator's private functions. MediaConvert also
sends events with the source `aws.mediaconvert`, which the emulator accepts only from its own process.
"""

import contextlib
import os

from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local import LOOPBACK
from local.emulation import faults
from local.emulation.bedrock import converse_service
from local.emulation.bedrock.converse_permissions import ModelPermissions
from local.emulation.emulator_account_access import EmulatorAccount
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.mediaconvert import mediaconvert_service
from local.emulation.transcribe import transcription_jobs

_running_services = contextlib.ExitStack()
"""Context in which the services run. Nothing closes it, so they run until the process ends."""


def install(permissions: ServiceCallPermissions) -> None:
    """Start the services. Set the environment variables from which the AWS SDK of handlers reads the services' URLs."""
    set_request_account_id("")  # the default account applies, because no request is being served
    media_convert = EmulatorAccount(permissions, mediaconvert_service.SERVICE, "queues/Default")
    # The last argument is the end of the ARN that the service sends as `aws:SourceArn` when it assumes a role.
    # Transcribe assumes no role, so `any` can take the place of a job's name.
    transcribe = EmulatorAccount(permissions, "transcribe.amazonaws.com", "transcription-job/any")
    fault_source = faults.FaultClient(os.environ[faults.VARIABLE])
    models = ModelPermissions(get_region(), get_account_id(), permissions)
    services = {
        "MEDIACONVERT": mediaconvert_service.serve(media_convert),
        "TRANSCRIBE": transcription_jobs.serve(transcribe, fault_source),
        "BEDROCK_RUNTIME": converse_service.serve(models, fault_source),
    }
    for name, service in services.items():
        os.environ[f"AWS_ENDPOINT_URL_{name}"] = f"http://{LOOPBACK}:{_running_services.enter_context(service)}"
