"""Entry point of the media job: `python -m handlers.meetings.media_job`, configured by environment variables.

The media job is an AWS Batch job that joins the files of one recording to a video, and extracts the audio. It writes
its outcome to the object `result.json` in the meetings bucket.

The exit status is 0 if the job wrote an outcome, even if the outcome is that the recording cannot be processed. Other
values are failures, for which standard error names the reason, without any key, name or content of a recording:

- 1: the job failed, for example because the memory ran out and the kernel killed ffmpeg. The meeting then fails too.
- 2: the environment variables are invalid.

SIGTERM ends the job at once, for example because its Spot capacity is reclaimed. Another attempt starts again.
"""

import resource
import sys
import tempfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.common.aws import CONFIG
from handlers.common.errors import to_field_problems
from handlers.common.logging import EventLog
from handlers.meetings.media_job.environment import MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed
from handlers.meetings.media_job.job import MediaJob

FAILED, BAD_ENVIRONMENT = 1, 2
"""Exit statuses other than 0."""


def main() -> int:
    """Run the job; return the exit status."""
    try:
        environment = MediaEnvironment.read()
    except ValidationError as error:
        for problem in to_field_problems(error):
            _print_error(f"{problem.field}: {problem.rule}")
        return BAD_ENVIRONMENT
    log = EventLog(environment.log_level)
    try:
        with tempfile.TemporaryDirectory(dir=environment.scratch_folder, prefix="media-") as folder:
            ffmpeg = Ffmpeg(environment.ffmpeg, Path(folder))
            job = MediaJob(environment, boto3.client("s3", config=CONFIG), ffmpeg, log)
            # The job refuses recordings that need more than this space by its estimate. Even if the estimate is wrong,
            # no single file can fill the disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (job.scratch_bytes, job.scratch_bytes))
            job.run()
    except Exception as error:  # noqa: BLE001 - the top level prints the reason without customer data
        log.failure("media_failed", error)
        _print_error(_failure_reason(error))
        return FAILED
    return 0


def _failure_reason(error: Exception) -> str:
    """Return a reason without customer data. Only the message of the project's own exception is quoted."""
    match error:
        case FfmpegFailed():
            return f"ffmpeg: {error}"
        case ClientError():
            return f"AWS: {error.response['Error']['Code']}"
        case OSError():
            return f"{type(error).__name__} {error.errno}"
        case _:
            return type(error).__name__


def _print_error(text: str) -> None:
    print(f"media job: {text}", file=sys.stderr, flush=True)  # noqa: T201 - reports the failure to AWS Batch's log


if __name__ == "__main__":
    sys.exit(main())
