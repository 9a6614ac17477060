"""Local AWS Batch: operations that the emulator (MiniStack) lacks or does wrong, and jobs that are real processes.

The emulator's own jobs succeed immediately and do nothing. Here, a job has the permissions of its job role, and its
retry strategy is applied. Its output is written to its log group and to `batch.log`. HTTP requests reach the operations
through `install`, and workflows through `BatchService.submit`.
https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

import contextvars
import copy
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import batch, cloudwatch_logs

from local.emulation import get_private
from local.emulation.batch.job_processes import EXITED, RECLAIMED, TIMED_OUT, JobProcess, find_image, should_retry
from local.emulation.emulator_account_access import endpoint, open_session
from local.emulation.faults import Fault, Faults

Parameters = Mapping[str, Any]
LOG_FILE = "batch.log"
"""File in the platform's folder with the output of all jobs."""
POLL_SECONDS = 0.05
"""Time between two checks of a job that waits for capacity."""
RECLAIM_AT_TEXT = '"media_probed"'
"""Part of the line of output at which the fault `SPOT_RECLAIMED` interrupts a job. The media job of meetings writes it
when it has read all chunks."""
_log = logging.getLogger("batch")


class BatchClientError(Exception):
    """Refusal of a request. Batch returns it as the error ClientException."""


@dataclass
class BatchJob:
    """A submitted job, and its process."""

    detail: dict[str, Any]
    """Job in the format of `DescribeJobs`."""
    is_spot: bool
    """True if the job runs on Fargate Spot."""
    process: JobProcess | None = None
    """Process of the latest attempt, or None before the first one."""
    stop_reason: str | None = None
    """Reason that the caller gave when it terminated the job, or None."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Lock for `process` and `stop_reason`, which requests and the job's thread use."""


class BatchService:
    """Operations of the local Batch, and the jobs that they have started."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults
        self._jobs: dict[str, BatchJob] = {}

    def install(self) -> None:
        """Replace or add the operations in the emulator's Batch. `extended_emulator.py` calls this."""
        operations = get_private(batch, "_DISPATCH")
        register = operations["/v1/registerjobdefinition"]
        added: dict[str, Callable[[Parameters], Any]] = {
            "updatejobqueue": _update_queue,
            "deletejobqueue": _delete_queue,
            "deletecomputeenvironment": _delete_environment,
            "registerjobdefinition": lambda request: _register_definition(request, register),
            "deregisterjobdefinition": _deregister_definition,
            "submitjob": self.submit,
            "terminatejob": self._terminate,
        }
        operations.update({f"/v1/{name}": _respond_with(operation) for name, operation in added.items()})

    def submit(self, request: Parameters) -> dict[str, Any]:
        """Accept a job and run it in a new thread."""
        definition, queue = find_definition(request["jobDefinition"]), _find_queue(request["jobQueue"])
        environment = _find_record("_compute_envs", queue["computeEnvironmentOrder"][0]["computeEnvironment"])
        is_spot = environment["computeResources"]["type"] == "FARGATE_SPOT"
        job = BatchJob(_job_detail(request, definition, queue), is_spot)
        self._jobs[job.detail["jobId"]] = job
        _change_status(job, "SUBMITTED")
        context = contextvars.copy_context()  # the emulator keeps a request's account and region there
        threading.Thread(target=context.run, args=(self._run_job, job), name=job.detail["jobId"], daemon=True).start()
        return {name: job.detail[name] for name in ("jobArn", "jobName", "jobId")}

    def _terminate(self, request: Parameters) -> Parameters:
        job = self._jobs.get(request["jobId"])
        if job is None:
            raise BatchClientError(f"Job not found: {request['jobId']}")
        with job.lock:
            job.stop_reason = request["reason"]
            if job.process is not None:
                job.process.stop(request["reason"])
        return {}

    def _run_job(self, job: BatchJob) -> None:
        try:
            status, reason = self._run_attempts(job)
        except Exception:  # noqa: BLE001 - the failure of one job must not end the service
            _log.exception("job %s failed because of an error in the local Batch", job.detail["jobId"])
            status, reason = "FAILED", "The local Batch failed. The emulator's log shows why."
        _change_status(job, status, statusReason=reason, stoppedAt=_now())

    def _run_attempts(self, job: BatchJob) -> tuple[str, str]:
        """Run attempts until the job has ended. Return its final status and the reason."""
        attempts = job.detail["attempts"]
        while True:
            _change_status(job, "RUNNABLE")
            while job.stop_reason is None and self._faults.is_on(
                Fault.SPOT_FULL if job.is_spot else Fault.ON_DEMAND_FULL
            ):
                time.sleep(POLL_SECONDS)
            if job.stop_reason is not None:
                return "FAILED", job.stop_reason
            reason, exit_code = self._run_attempt(job)
            # On AWS, an interrupted job has succeeded if its process still ended with exit code 0.
            if exit_code == 0 and reason in {EXITED, RECLAIMED}:
                return "SUCCEEDED", reason
            # Batch does not retry an attempt that timed out, or that `_terminate` stopped with its reason.
            if reason in {TIMED_OUT, job.stop_reason} or not should_retry(
                job.detail["retryStrategy"], len(attempts), reason, exit_code
            ):
                return "FAILED", reason

    def _run_attempt(self, job: BatchJob) -> tuple[str, int]:
        """Run one attempt. Return the status reason of its end, and its exit code."""
        detail = job.detail
        options = detail["container"]["logConfiguration"]["options"]
        group, stream = options["awslogs-group"], f"{options['awslogs-stream-prefix']}/default/{uuid.uuid4().hex}"
        get_private(cloudwatch_logs, "_create_log_stream")({"logGroupName": group, "logStreamName": stream})
        attempt: dict[str, Any] = {"container": {"logStreamName": stream}, "startedAt": _now()}
        detail["container"]["logStreamName"] = stream
        _change_status(job, "RUNNING", startedAt=attempt["startedAt"])
        process = JobProcess(
            find_image(detail["container"]["image"]),
            detail["container"].get("command") or [],
            _job_variables(detail["container"], detail["jobId"]),
        )
        with job.lock:
            job.process = process
            if job.stop_reason is not None:  # `_terminate` was called before there was a process
                process.stop(job.stop_reason)
        # This fault happens once for each time that a test has set. The faults above last until a test clears them.
        is_reclaimed = job.is_spot and self._faults.take(Fault.SPOT_RECLAIMED)
        exit_code = process.run(
            lambda line: self._write(group, stream, line),
            timeout=(detail["timeout"] or {}).get("attemptDurationSeconds"),
            reclaim_at_text=RECLAIM_AT_TEXT if is_reclaimed else None,
        )
        detail["container"]["exitCode"] = attempt["container"]["exitCode"] = exit_code
        detail["attempts"].append({**attempt, "stoppedAt": _now(), "statusReason": process.reason})
        return process.reason, exit_code

    def _write(self, group: str, stream: str, line: str) -> None:
        with (self._folder / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(f"{stream} {line}\n")
        if line:  # CloudWatch Logs refuses an empty message
            event = {"timestamp": _now(), "message": line}
            get_private(cloudwatch_logs, "_put_log_events")(
                {"logGroupName": group, "logStreamName": stream, "logEvents": [event]}
            )


def find_definition(reference: str) -> dict[str, Any]:
    """Return a job definition by ARN or name. Without a revision, return the newest active one."""
    name, _, revision = reference.rpartition("/")[2].partition(":")
    for definition in reversed(get_private(batch, "_job_definitions").get(name) or []):
        if definition["status"] == "ACTIVE" and revision in {"", str(definition["revision"])}:
            matching: dict[str, Any] = definition
            return matching
    raise BatchClientError(f"JobDefinition not found: {reference}")


def _job_detail(request: Parameters, definition: Parameters, queue: Parameters) -> dict[str, Any]:
    """Return a new job in the format of `DescribeJobs`. The overrides in the request replace values of the definition."""
    job_id = str(uuid.uuid4())
    properties, overrides = definition["containerProperties"], request.get("containerOverrides") or {}
    environment = {
        variable["name"]: variable
        for variable in (*properties.get("environment", ()), *overrides.get("environment", ()))
    }
    return {
        "jobArn": f"arn:aws:batch:{get_region()}:{get_account_id()}:job/{job_id}",
        "jobName": request["jobName"],
        "jobId": job_id,
        "jobQueue": queue["jobQueueArn"],
        "attempts": [],
        "createdAt": _now(),
        "retryStrategy": definition.get("retryStrategy") or {},
        "jobDefinition": definition["jobDefinitionArn"],
        "container": {**properties, **overrides, "environment": list(environment.values())},
        "timeout": definition.get("timeout"),
        "tags": request.get("tags") or {},
    }


def _job_variables(container: Parameters, job_id: str) -> dict[str, str]:
    """Return the environment variables of a job: its own, its role's credentials, and the URLs of the services."""
    credentials = open_session(container["jobRoleArn"], job_id)
    return {
        **{variable["name"]: variable["value"] for variable in container["environment"]},
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL_")},
        "AWS_ENDPOINT_URL": endpoint(),
        "AWS_ACCESS_KEY_ID": credentials.key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _change_status(job: BatchJob, status: str, **more: Any) -> None:
    job.detail.update(status=status, **more)
    # The emulator's DescribeJobs reads this record. It is a copy, so that it cannot change while a response is created.
    get_private(batch, "_jobs")[job.detail["jobId"]] = copy.deepcopy(job.detail)


def _update_queue(request: Parameters) -> Parameters:
    queue = _find_queue(request["jobQueue"])
    queue.update({name: value for name, value in request.items() if name != "jobQueue"})
    return {"jobQueueName": queue["jobQueueName"], "jobQueueArn": queue["jobQueueArn"]}


def _delete_queue(request: Parameters) -> Parameters:
    del get_private(batch, "_job_queues")[_find_queue(request["jobQueue"])["jobQueueName"]]
    return {}


def _delete_environment(request: Parameters) -> Parameters:
    environment = _find_record("_compute_envs", request["computeEnvironment"])
    del get_private(batch, "_compute_envs")[environment["computeEnvironmentName"]]
    return {}


def _register_definition(request: Parameters, register: Callable[[Parameters], Any]) -> Any:
    """Register a job definition with all its fields. The emulator's `register` drops the retry strategy and timeout."""
    answer = register(request)
    get_private(batch, "_job_definitions")[request["jobDefinitionName"]][-1].update(request)
    return answer


def _deregister_definition(request: Parameters) -> Parameters:
    find_definition(request["jobDefinition"])["status"] = "INACTIVE"
    return {}


def _respond_with(operation: Callable[[Parameters], Any]) -> Callable[[Parameters], Any]:
    """Return the operation in the form that the emulator calls: results and BatchClientErrors become HTTP responses."""

    def respond(request: Parameters) -> Any:
        try:
            answer = operation(request)
        except BatchClientError as error:
            return error_response_json("ClientException", str(error), 400)
        # The emulator's own operations already return an HTTP response, which is a tuple.
        return answer if isinstance(answer, tuple) else get_private(batch, "_json")(200, answer)

    return respond


def _find_queue(reference: str) -> dict[str, Any]:
    return _find_record("_job_queues", reference)


def _find_record(collection: str, reference: str) -> dict[str, Any]:
    """Return a record of one of the emulator's collections, by ARN or name."""
    record: dict[str, Any] | None = get_private(batch, collection).get(reference.rpartition("/")[2])
    if record is None:
        raise BatchClientError(f"Object does not exist: {reference}")
    return record


def _now() -> int:
    return int(time.time() * 1000)
