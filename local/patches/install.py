"""All patches in their order, then the emulator itself."""

from pathlib import Path

from ministack import app

from local.iam.decisions import Recorder
from local.patches import (
    async_calls,
    batch_states,
    decisions,
    errors,
    function_logs,
    glue_runs,
    guests,
    integrations,
    media_convert,
    memories,
    models,
    object_versions,
    passed_roles,
    reserved_places,
    rest_answers,
    sdk_calls,
    transcriptions,
    transport,
    versioned_ranges,
    websockets,
    workflow_roles,
)
from local.patches.queues import Queues
from local.patches.service_roles import ServiceRoles
from local.patches.targets import Targets


def serve(folder: Path) -> None:
    """Serves until killed."""
    install(folder)
    app.main()


def install(folder: Path) -> None:
    """Mends the emulator; the record of IAM decisions goes into `folder`."""
    recorder = Recorder(folder)
    roles = ServiceRoles(recorder)
    transport.install()
    decisions.install(recorder)
    guests.install()
    roles.install()
    Queues(roles).install()
    errors.install()
    function_logs.install()
    glue_runs.install(folder)
    batch_states.install(folder, roles)
    integrations.install()
    sdk_calls.install()
    workflow_roles.install(roles)
    websockets.install()
    rest_answers.install()
    versioned_ranges.install()
    object_versions.install()
    memories.install()
    media_convert.install(roles)
    models.install(roles)
    transcriptions.install(roles)
    passed_roles.install()
    reserved_places.install()  # before what finds out by which settings a call goes
    async_calls.install()
    Targets(roles).install()
