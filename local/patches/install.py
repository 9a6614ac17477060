"""Installs all changes, then serves."""

from pathlib import Path

from ministack import app

from local.iam.decisions import Recorder
from local.patches import (
    async_invocations,
    cognito_guests,
    decisions,
    lambda_workers,
    local_services,
    request_resources,
    rest_apis,
    s3_versions,
    transport,
    websockets,
)
from local.patches.batch import Batch
from local.patches.event_targets import Targets
from local.patches.glue_runs import GlueRuns
from local.patches.service_roles import ServiceRoles
from local.patches.sqs_event_sources import EventSources
from local.patches.state_machines import StateMachines


def serve(folder: Path) -> None:
    """Serve until the process is killed. The record of IAM decisions and the logs of jobs are written to `folder`."""
    recorder = Recorder(folder)
    roles = ServiceRoles(recorder)
    jobs = Batch(folder)
    transport.install()
    decisions.install(recorder)
    cognito_guests.install()
    request_resources.install()
    roles.install()
    lambda_workers.install()
    async_invocations.install()
    EventSources(roles).install()
    Targets(roles).install()
    jobs.install()
    StateMachines(roles, jobs, GlueRuns(folder).run).install()
    rest_apis.install()
    websockets.install()
    s3_versions.install()
    local_services.install(roles)
    app.main()
