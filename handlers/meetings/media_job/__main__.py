"""Entry point of the media job: `python -m handlers.meetings.media_job`, configured by environment variables.

The media job is an AWS Batch job that joins the files of one recording to a video, and extracts the audio. It writes
its outcome to `result.json`.

The exit status is 0 if the job wrote an outcome, even if the outcome is that the recording cannot be processed. Other
values are failures:

- 1: the job failed, for example because the memory ran out and the kernel killed ffmpeg. The meeting then fails too.
- 2: the environment variables are invalid.
- 143: the job was terminated by SIGTERM, for example because its Spot capacity was reclaimed.

For 1 and 2, standard error names the reason, without any key, name or content of a recording.
"""

import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.aws import CONFIG, ParallelCalls
from handlers.common.errors import to_field_problems
from handlers.common.logging import EventLog
from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_job.environment import MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed
from handlers.meetings.media_job.job import MediaJob, MediaJobSettings
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.job_termination import JobTermination
from handlers.meetings.media_job.media_output_plan import PlanLimits

FAILED, BAD_ENVIRONMENT, TERMINATED = 1, 2, 128 + signal.SIGTERM
"""Exit statuses other than 0."""
GRACE_SECONDS: Final = 15
"""Time after SIGTERM at which the job exits in any case. A job that has not ended by then only waits for a response that
it no longer needs. AWS Batch would kill it after 30 seconds.
"""
MAX_DOWNLOADS: Final = 8
"""Number of chunks that are downloaded concurrently."""


def main() -> int:
    """Run the job; return the exit status."""
    termination = JobTermination()

    def on_sigterm(*_: object) -> None:
        timer = threading.Timer(GRACE_SECONDS, os._exit, (TERMINATED,))
        timer.daemon = True
        timer.start()
        termination.request()

    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        environment = MediaEnvironment.read()
    except ValidationError as error:
        for problem in to_field_problems(error):
            _print_error(f"{problem.field}: {problem.rule}")
        return BAD_ENVIRONMENT
    log = EventLog(environment.log_level)
    try:
        with tempfile.TemporaryDirectory(dir=environment.scratch_folder, prefix="media-") as folder:
            _create_job(environment, Path(folder), termination, log).run()
    except Exception as error:  # noqa: BLE001 - the top level prints the reason without customer data
        if termination.requested:
            log.info("media_stopped")
            return TERMINATED
        # Without the traceback, which may quote customer data.
        log.error("media_failed", error_type=type(error).__name__, code=_aws_error_code(error))  # noqa: TRY400
        _print_error(_failure_reason(error))
        return FAILED
    return 0


def _create_job(environment: MediaEnvironment, folder: Path, termination: JobTermination, log: EventLog) -> MediaJob:
    scratch_bytes = min(environment.scratch_mb * 1_000_000, shutil.disk_usage(folder).free)
    # Even if the estimate of the required disk space (`RecordingPlan`) is wrong, no single file can fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (scratch_bytes, scratch_bytes))
    return MediaJob(
        environment.recording,
        JobBucket(boto3.client("s3", config=CONFIG), environment.bucket_name, termination),
        Ffmpeg(environment.ffmpeg, folder, termination),
        MediaJobSettings(
            PlanLimits(
                max_part=environment.audio_part_seconds * SECOND,
                max_piece=environment.piece_seconds * SECOND,
                max_recording=environment.max_hours * 3600 * SECOND,
            ),
            scratch_bytes=scratch_bytes,
            threads=environment.encode_threads,
        ),
        parallel=ParallelCalls(MAX_DOWNLOADS),
        log=log,
    )


def _aws_error_code(error: Exception) -> str:
    """Return the AWS error code, or an empty string for other errors."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _failure_reason(error: Exception) -> str:
    """Return a reason without customer data. Only the message of the project's own exception is quoted."""
    match error:
        case FfmpegFailed():
            return f"ffmpeg: {error}"
        case ClientError():
            return f"AWS: {_aws_error_code(error)}"
        case OSError():
            return f"{type(error).__name__} {error.errno}"
        case _:
            return type(error).__name__


def _print_error(text: str) -> None:
    print(f"media job: {text}", file=sys.stderr, flush=True)  # noqa: T201 - reports the failure to AWS Batch's log


if __name__ == "__main__":
    sys.exit(main())
