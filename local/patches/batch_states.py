"""Step Functions' `batch:submitJob`, which the emulator lacks: submits a job, and waits for its end where it is `.sync`.

It answers, and fails, with the job as `DescribeJobs` has it, in Pascal case. A job that its state no longer waits for
is terminated, if the machine's role lets it: on AWS too, after a timeout as well as when an execution is stopped.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ServiceModel

from local.patches import batch_control, integrations
from local.patches.batch_control import Refused
from local.patches.batch_jobs import LOOK_AGAIN_SECONDS, Job, Jobs
from local.patches.casing import UnknownField, to_api, to_states
from local.patches.integrations import failed
from local.patches.service_roles import ServiceRoles
from local.patches.workflow_roles import Waiting, waiting

RESOURCE = "arn:aws:states:::batch:submitJob"
SYNC = ".sync"
MARK = {"name": "MANAGED_BY_AWS", "value": "STARTED_BY_STEP_FUNCTIONS"}
"""By this variable Step Functions finds the events of its jobs."""


def install(folder: Path, roles: ServiceRoles) -> None:
    """Mends the control plane, and registers the integration."""
    batch_control.install()
    jobs = Jobs(folder, roles)
    jobs.install()
    integrations.add(RESOURCE, SubmitJob(jobs, roles))


class SubmitJob:
    """The integration."""

    def __init__(self, jobs: Jobs, roles: ServiceRoles) -> None:
        self._jobs = jobs
        self._roles = roles
        model = ServiceModel(create_loader().load_service_model("batch", "service-2"), "batch")
        self._asked = model.operation_model("SubmitJob").input_shape
        self._answered = model.operation_model("SubmitJob").output_shape
        self._detail = model.shape_for("JobDetail")

    def __call__(self, resource: str, given: Mapping[str, Any]) -> Any:
        synchronous = resource.endswith(SYNC)
        job = self._submitted(given, marked=synchronous)
        if not synchronous:
            return to_states(job.detail, self._answered)
        self._wait(job, waiting())
        told = to_states(job.detail, self._detail)
        if job.detail["status"] != "SUCCEEDED":
            raise failed("States.TaskFailed", json.dumps(told, sort_keys=True, separators=(",", ":")))
        return told

    def _submitted(self, given: Mapping[str, Any], *, marked: bool) -> Job:
        try:
            request = to_api(given, self._asked, "Arguments")
        except UnknownField as unknown:
            raise failed("States.Runtime", str(unknown)) from None
        if marked:
            overrides = request.get("containerOverrides") or {}
            environment = [*(overrides.get("environment") or []), MARK]
            request = {**request, "containerOverrides": {**overrides, "environment": environment}}
        try:
            return self._jobs.submit(request)
        except Refused as refused:
            raise failed(
                "Batch.ClientException",
                f"{refused} (Service: AWSBatch; Status Code: 400; Error Code: ClientException)",
            ) from None

    def _wait(self, job: Job, state: Waiting) -> None:
        while not job.done.wait(LOOK_AGAIN_SECONDS):
            # Where nothing but time would pass until the state's timeout, it need not pass here.
            late = state.late or (state.timed and job.stuck.is_set())
            if late or state.aborted:
                self._let_go(job, state)
                raise failed("States.Timeout", "") if late else failed("States.TaskFailed", "aborted")

    def _let_go(self, job: Job, state: Waiting) -> None:
        if self._roles.may(state.role, "batch:TerminateJob", job.detail["jobArn"]):
            told = (
                f"The Task state in AWS Step Functions execution [{state.execution}] which was managing this resource"
            )
            self._jobs.terminate(job.detail["jobId"], f"{told} was aborted")
