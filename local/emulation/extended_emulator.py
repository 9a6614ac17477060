"""Runs the emulator with all extensions of `local/emulation` that belong in its process."""

from pathlib import Path

from ministack import app

from local.emulation import athena_query_refusal, disabled_alarm_evaluation, in_process_services
from local.emulation.api_gateway import rest_api_corrections, websocket_api_corrections
from local.emulation.batch.batch_service import BatchService
from local.emulation.cognito import guest_credential_corrections
from local.emulation.event_bridge.target_permissions import TargetPermissions
from local.emulation.glue.glue_job_runs import GlueJobRuns
from local.emulation.iam import decision_corrections, evaluation_corrections
from local.emulation.iam.decision_log import DecisionRecorder
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.lambda_ import async_invocation_corrections, state_transition_delay, worker_process_corrections
from local.emulation.lambda_.sqs_polling_corrections import SqsEventSources
from local.emulation.s3 import object_version_corrections
from local.emulation.step_functions.state_machine_tasks import StateMachineTasks


def serve(folder: Path) -> None:
    """Install the extensions, then serve until the process is killed.

    The log of IAM decisions and the output of Batch and Glue jobs are written to `folder`.
    """
    recorder = DecisionRecorder(folder)
    permissions = ServiceCallPermissions(recorder)
    batch_service = BatchService(folder)
    decision_corrections.install(recorder)
    guest_credential_corrections.install()
    evaluation_corrections.install()
    permissions.install()
    worker_process_corrections.install()
    state_transition_delay.install()
    async_invocation_corrections.install()
    SqsEventSources(permissions).install()
    TargetPermissions(permissions).install()
    batch_service.install()
    athena_query_refusal.install()
    disabled_alarm_evaluation.install()
    StateMachineTasks(permissions, batch_service, GlueJobRuns(folder).run).install()
    rest_api_corrections.install()
    websocket_api_corrections.install()
    object_version_corrections.install()
    in_process_services.install(permissions)
    app.main()
