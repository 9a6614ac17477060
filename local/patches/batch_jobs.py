"""Jobs of AWS Batch, run as deployed: definition and queue out of the control plane, a real process, the job's own role.

Whatever submits a job (a workflow, or the API) gets one of these. Its attempts follow the definition's retry strategy,
and the bus hears of each change. https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

import contextvars
import copy
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import batch

from local.patches import batch_control, batch_faults, reached
from local.patches.batch_attempts import Attempt, Ran
from local.patches.batch_containers import overridden, program_of, variables
from local.patches.batch_control import Refused
from local.patches.batch_logs import Lines, NoGroup, group_of, stream_of
from local.patches.batch_rules import Ending, matches, refused_job, tried_again
from local.patches.batch_tasks import NotStarted, prepare
from local.patches.bus import emit
from local.patches.service_roles import ServiceRoles
from local.patches.sessions import opened

SPOT = "FARGATE_SPOT"
NO_CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
LOOK_AGAIN_SECONDS = 0.05
_log = logging.getLogger("batch")


@dataclass
class Job:
    """A job: what `DescribeJobs` says of it, and what the service knows besides."""

    detail: dict[str, Any]
    queue: Mapping[str, Any]
    environment: Mapping[str, Any]
    attempt: Attempt | None = None
    terminated: str | None = None
    placed: bool = False
    """It has a machine: it can no longer be cancelled."""
    stuck: threading.Event = field(default_factory=threading.Event)
    """It waits for a machine, and nothing here will make one."""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def spot(self) -> bool:
        """Whether its machine may be taken away."""
        return bool(self.environment["computeResources"]["type"] == SPOT)


class Jobs:
    """All jobs of the account."""

    def __init__(self, folder: Path, roles: ServiceRoles, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._roles = roles
        self._now = now
        self._known: dict[str, Job] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Answers the operations on jobs in the emulator's place."""
        batch_control.add("submitjob", lambda given: _told_of(self.submit(given)))
        batch_control.add("terminatejob", self._terminated)
        batch_control.add("canceljob", self._cancelled)
        listed = reached(batch, "_list_jobs")
        batch_control.add("listjobs", lambda given: self._named(given) if given.get("filters") else listed(given))

    def submit(self, request: Mapping[str, Any]) -> Job:
        """Takes a job on, and goes on with it in a thread of its own."""
        for problem in refused_job(request):
            raise Refused(problem)
        definition = batch_control.definition_of(request["jobDefinition"])
        queue = batch_control.queue_of(request["jobQueue"])
        if queue["state"] != "ENABLED":
            raise Refused(f"Job queue {queue['jobQueueName']} must be in ENABLED state")
        job = Job(self._detail(request, definition, queue), queue, batch_control.environment_of(queue))
        self._known[job.detail["jobId"]] = job
        self._show(job)
        threading.Thread(
            target=contextvars.copy_context().run, args=(self._work, job), name=job.detail["jobId"], daemon=True
        ).start()
        return job

    def terminate(self, job_id: str, reason: str) -> None:
        """Ends a job, wherever it is."""
        job = self._known.get(job_id)
        if job is None:
            raise Refused(f"Job not found: {job_id}")
        with self._lock:
            job.terminated = reason
            if job.attempt is not None:
                job.attempt.terminate(reason)

    def _terminated(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self.terminate(given["jobId"], given["reason"])
        return {}

    def _cancelled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Ends a job that has no machine; one that has is let be, and nobody is told."""
        job = self._known.get(given["jobId"])
        if job is None:
            raise Refused(f"Job not found: {given['jobId']}")
        with self._lock:
            if not job.placed:
                job.terminated = given["reason"]
        return {}

    def _named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Jobs of a queue by name, in whatever state, the latest first: whoever filters asks for no state."""
        try:
            [(name, [value])] = [(one["name"], one["values"]) for one in given["filters"]]
        except ValueError:
            raise Refused("Only one filter with one value can be used") from None
        if name != "JOB_NAME":
            raise Refused("Only the filter JOB_NAME is played here.")
        queue = batch_control.queue_of(given["jobQueue"])["jobQueueArn"]
        # The emulator's copies, which nobody changes meanwhile.
        found = [one for one in list(reached(batch, "_jobs").values()) if one["jobQueue"] == queue]
        found = [one for one in found if matches(value.lower(), one["jobName"].lower())]
        found.sort(key=lambda one: int(one["createdAt"]), reverse=True)
        told = ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt")
        return {"jobSummaryList": [{name: one[name] for name in told if name in one} for one in found]}

    def _detail(
        self, request: Mapping[str, Any], definition: Mapping[str, Any], queue: Mapping[str, Any]
    ) -> dict[str, Any]:
        job_id = str(uuid.uuid4())
        parameters = {**definition["parameters"], **(request.get("parameters") or {})}
        container = overridden(definition["containerProperties"], request.get("containerOverrides") or {}, parameters)
        return {
            "jobArn": f"arn:aws:batch:{get_region()}:{get_account_id()}:job/{job_id}",
            "jobName": request["jobName"],
            "jobId": job_id,
            "jobQueue": queue["jobQueueArn"],
            "status": "SUBMITTED",
            "attempts": [],
            "createdAt": self._moment(),
            "retryStrategy": {"attempts": 1, **(request.get("retryStrategy") or definition.get("retryStrategy") or {})},
            "dependsOn": [],
            "jobDefinition": definition["jobDefinitionArn"],
            "parameters": parameters,
            "container": {**container, "networkInterfaces": []},
            "timeout": request.get("timeout") or definition.get("timeout"),
            "tags": request.get("tags") or {},
            "propagateTags": bool(request.get("propagateTags", definition.get("propagateTags", False))),
            "platformCapabilities": definition.get("platformCapabilities") or [],
        }

    def _work(self, job: Job) -> None:
        try:
            self._attempt_until_done(job)
        except Exception:  # noqa: BLE001 - one job's failure must not end the service
            _log.exception("job %s", job.detail["jobId"])
            self._change(job, "FAILED", statusReason="The local Batch failed: its log is the emulator's")
        finally:
            job.done.set()

    def _attempt_until_done(self, job: Job) -> None:
        attempts = job.detail["attempts"]
        while True:
            self._change(job, "RUNNABLE")
            why = self._machine(job, len(attempts) + 1)
            if why is not None:
                self._change(job, "FAILED", statusReason=why, stoppedAt=self._moment())
                return
            ran = self._one(job)
            ending = ran.ending
            if ending.succeeded and not ran.final:
                self._change(job, "SUCCEEDED", statusReason=ending.status_reason, stoppedAt=attempts[-1]["stoppedAt"])
                return
            if ran.final or not tried_again(job.detail["retryStrategy"], len(attempts), ending):
                self._change(job, "FAILED", statusReason=ending.status_reason, stoppedAt=attempts[-1]["stoppedAt"])
                return

    def _machine(self, job: Job, attempt: int) -> str | None:
        """Waits for a machine; why there will be none."""
        job.placed = False
        while job.terminated is None:
            fault = self._fault(job)
            if not fault.no_capacity:
                with self._lock:
                    job.placed = job.terminated is None
                if job.placed:
                    job.stuck.clear()
                    return None
                continue
            limited = any(
                one["reason"] == NO_CAPACITY and one["state"] == "RUNNABLE"
                for one in job.queue.get("jobStateTimeLimitActions") or []
            )
            if fault.detected and limited:
                # After hours, on AWS: nothing would happen meanwhile.
                return f"Canceled by JobStateTimeLimit action due to reason: {NO_CAPACITY}"
            if fault.detected and "statusReason" not in job.detail:
                job.detail["statusReason"] = f"{NO_CAPACITY} - Service cannot fulfill the capacity requested"
            job.stuck.set()
            job.done.wait(LOOK_AGAIN_SECONDS)
        _log.info("job %s ended before attempt %s", job.detail["jobId"], attempt)
        return job.terminated

    def _one(self, job: Job) -> Ran:
        detail, number, task = job.detail, len(job.detail["attempts"]) + 1, uuid.uuid4().hex
        cluster = f"AWSBatch-{job.environment['computeEnvironmentName']}"
        arn = f"arn:aws:ecs:{get_region()}:{get_account_id()}:task/{cluster}/{task}"
        definition = detail["jobDefinition"].rpartition("/")[2].partition(":")[0]
        container = detail["container"]
        container.update(taskArn=arn, logStreamName=stream_of(container, definition, task))
        self._change(job, "STARTING")
        lines = Lines(self._folder, group_of(container), container["logStreamName"])
        began = None
        try:
            prepare(self._roles, container, arn)
            lines.open()
            began = self._moment()
            self._change(job, "RUNNING", startedAt=began)
            ran = self._run(job, number, lines)
        except (NotStarted, NoGroup) as failed:
            ran = Ran(Ending(None, str(failed)), final=False)
        ended = {"exitCode": ran.ending.exit_code} if ran.ending.exit_code is not None else {}
        container.update(ended)
        detail["attempts"].append(
            {
                "container": {
                    **ended,
                    "taskArn": arn,
                    "logStreamName": container["logStreamName"],
                    "networkInterfaces": [],
                },
                **({"startedAt": began} if began else {}),
                "stoppedAt": self._moment(),
                "statusReason": ran.ending.status_reason,
            }
        )
        return ran

    def _run(self, job: Job, number: int, lines: Lines) -> Ran:
        detail, container, fault = job.detail, job.detail["container"], self._fault(job)
        role = opened(str(container["jobRoleArn"]), detail["jobId"])
        own = {
            "AWS_BATCH_JOB_ID": detail["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": job.queue["jobQueueName"],
            "AWS_BATCH_CE_NAME": job.environment["computeEnvironmentName"],
        }
        attempt = Attempt(
            program_of(container["image"], self._folder),
            container["command"],
            variables(container, own, (role.key, role.secret, role.token), get_region()),
        )
        with self._lock:
            job.attempt = attempt
            if job.terminated is not None:
                attempt.terminate(job.terminated)
        try:
            return attempt.run(
                fault,
                reclaimed=job.spot and number <= fault.reclaimed,
                timeout=(detail["timeout"] or {}).get("attemptDurationSeconds"),
                log=lines.write,
            )
        finally:
            with self._lock:
                job.attempt = None
            lines.flush()

    def _fault(self, job: Job) -> batch_faults.Fault:
        return batch_faults.told(self._folder, job.queue["jobQueueName"])

    def _change(self, job: Job, status: str, **more: Any) -> None:
        if status == "RUNNABLE":
            job.detail.pop("statusReason", None)
        job.detail.update(status=status, **more)
        self._show(job)
        # The bus hears of it before anybody who waits does.
        emit(get_region(), "aws.batch", "Batch Job State Change", job.detail, [job.detail["jobArn"]])

    @staticmethod
    def _show(job: Job) -> None:
        """To whoever asks the API, who must not see it change while he reads."""
        reached(batch, "_jobs")[job.detail["jobId"]] = copy.deepcopy(job.detail)

    def _moment(self) -> int:
        return int(self._now() * 1000)


def _told_of(job: Job) -> dict[str, Any]:
    return {name: job.detail[name] for name in ("jobArn", "jobName", "jobId")}
