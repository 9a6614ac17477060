"""Starts the services that the emulator lacks, in threads of its process. `extended_emulator.py` calls `start`.

Each service listens on its own port. Handlers and jobs inherit the URLs as environment variables, and other commands
read them from a file. The services run in the emulator's process for two reasons. MediaConvert, Bedrock and Transcribe's
batch jobs check permissions with the emulator's private functions. MediaConvert also sends events with the source
`aws.mediaconvert`, which the emulator accepts only from its own process.
"""

import contextlib
import json
import os
from pathlib import Path

from ministack.core.responses import get_account_id, get_region, set_request_account_id

from local import LOOPBACK
from local.emulation import faults, identity_provider, voice_qa_agent
from local.emulation.bedrock import converse_service
from local.emulation.bedrock.converse_service import ModelPermissions
from local.emulation.emulator_account_access import EmulatorAccount
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.mediaconvert import mediaconvert_service
from local.emulation.transcribe import streaming_service, transcription_jobs

FILE = "services.json"
"""Name of the file with the URLs by the names of the environment variables, in the emulator's home folder."""
_running_services = contextlib.ExitStack()
"""Context in which the services run. Nothing closes it, so they run until the process ends."""


def start(permissions: ServiceCallPermissions, folder: Path, fault_source: faults.Faults) -> None:
    """Start the services. Set the environment variables with their URLs, and write them to `folder`."""
    set_request_account_id("")  # the default account applies, because no request is being served
    media_convert = EmulatorAccount(permissions, mediaconvert_service.SERVICE, source="queues/Default")
    # Transcribe assumes no role, so `any` can take the place of a job's name.
    transcribe = EmulatorAccount(permissions, "transcribe.amazonaws.com", source="transcription-job/any")
    models = ModelPermissions(get_region(), get_account_id(), permissions)
    # Environment variable → scheme of the URL, context manager that serves and yields the port, and path of the URL.
    services = {
        "AWS_ENDPOINT_URL_MEDIACONVERT": ("http", mediaconvert_service.serve(media_convert), ""),
        "AWS_ENDPOINT_URL_TRANSCRIBE": ("http", transcription_jobs.serve(transcribe, fault_source), ""),
        "AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING": ("ws", streaming_service.serve(fault_source), ""),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": ("http", converse_service.serve(models, fault_source), ""),
        "AGENTCORE_ENDPOINT": ("http", voice_qa_agent.serve(fault_source), ""),
        # For handlers whose deployment does not set the URL of the identity provider's keys.
        "JWKS_URL": ("http", identity_provider.serve(), identity_provider.KEYS_PATH),
        faults.VARIABLE: ("http", faults.serve(fault_source), ""),
    }
    urls = {
        name: f"{scheme}://{LOOPBACK}:{_running_services.enter_context(service)}{path}"
        for name, (scheme, service, path) in services.items()
    }
    os.environ.update(urls)
    (folder / FILE).write_text(json.dumps(urls), encoding="utf-8")
