"""Runs the AWS emulator with all our extensions: corrections of its faults, and services that it lacks.

The program `launcher.py` calls `serve`. Tests of the corrections call only `install_corrections`.
"""

from pathlib import Path

from ministack import app

from local.emulation import (
    cognito_corrections,
    disabled_features,
    lambda_corrections,
    local_services,
    rest_api_corrections,
    s3_corrections,
    websocket_api_corrections,
)
from local.emulation.batch.batch_service import BatchService
from local.emulation.faults import Faults
from local.emulation.glue.glue_job_runs import GlueJobRuns
from local.emulation.iam import request_decisions
from local.emulation.iam.grant_usage import DecisionRecorder
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.step_functions.state_machine_tasks import StateMachineTasks


def serve(folder: Path) -> None:
    """Install the corrections and services, then serve until the process is killed.

    The log of IAM decisions and the output of Batch and Glue jobs are written to `folder`. Its subfolder `emulator` is
    the emulator's home folder.
    """
    permissions = install_corrections(folder)
    faults = Faults()
    batch_service = BatchService(folder, faults)
    batch_service.install()
    StateMachineTasks(permissions, batch_service, GlueJobRuns(folder).run).install()
    local_services.start(permissions, folder / "emulator", faults)
    app.main()


def install_corrections(folder: Path) -> ServiceCallPermissions:
    """Install the corrections of the emulator, and return the checks of permissions that its services use."""
    recorder = DecisionRecorder(folder)
    permissions = ServiceCallPermissions(recorder)
    request_decisions.install(recorder)
    permissions.install()
    cognito_corrections.install()
    lambda_corrections.install(permissions)
    disabled_features.install()
    rest_api_corrections.install()
    websocket_api_corrections.install()
    s3_corrections.install()
    return permissions
