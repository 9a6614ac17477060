"""Runs the media job: `python -m handlers.meetings.media_job`, with what it is about in its environment.

Ends with 0 whatever came of the recording: that is said in its `result.json`. Anything else is a failure: 1 ends its
meeting, and who uploads it again has it gone on with; 2 is an environment that names no recording or deployment; 143 is
the end that a machine asks for when it is needed elsewhere. Memory that runs short kills ffmpeg, which is a 1 as well.
Why it failed goes to standard error, in words of ours alone: no key, name or content.
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

from handlers.common.aws.clients import CONFIG
from handlers.common.aws.parallel_calls import Parallel
from handlers.common.errors import of_validation
from handlers.common.logging import EventLog
from handlers.meetings.media_job.environment import MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg, FfmpegFailed
from handlers.meetings.media_job.job import MediaJob, MediaJobSettings
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.job_termination import JobTermination
from handlers.meetings.media_job.recording_plan import PlanLimits

FAILED, BAD_ENVIRONMENT, TERMINATED = 1, 2, 128 + signal.SIGTERM
GRACE_SECONDS: Final = 15
"""AWS Batch kills after 30. What has not ended by itself then waits for an answer that nobody needs any more."""
MAX_DOWNLOADS: Final = 8
"""Chunks that are fetched at once."""
_SECOND: Final = 1_000_000


def main() -> int:
    """The program; gives its exit status."""
    stopping = JobTermination()

    def stop(*_: object) -> None:
        timer = threading.Timer(GRACE_SECONDS, os._exit, (TERMINATED,))
        timer.daemon = True
        timer.start()
        stopping.request()

    signal.signal(signal.SIGTERM, stop)
    try:
        environment = MediaEnvironment.read()
    except ValidationError as error:
        for one in of_validation(error):
            _print_error(f"{one.field}: {one.rule}")
        return BAD_ENVIRONMENT
    log = EventLog(environment.log_level)
    try:
        with tempfile.TemporaryDirectory(dir=environment.scratch_folder, prefix="media-") as folder:
            _create_job(environment, Path(folder), stopping, log).run()
    except Exception as error:  # noqa: BLE001 - the end of the program: why is said, and what it was about is not
        if stopping.requested:
            log.info("media_stopped")
            return TERMINATED
        log.error("media_failed", error_type=type(error).__name__, code=_aws_error_code(error))  # noqa: TRY400 - a traceback quotes what it was about
        _print_error(_failure_reason(error))
        return FAILED
    return 0


def _create_job(environment: MediaEnvironment, folder: Path, stopping: JobTermination, log: EventLog) -> MediaJob:
    scratch = min(environment.scratch_mb * 1_000_000, shutil.disk_usage(folder).free)
    # What is reckoned beforehand is held to: no file of this process, or of ffmpeg's, grows beyond it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (scratch, scratch))
    return MediaJob(
        environment.recording,
        JobBucket(boto3.client("s3", config=CONFIG), environment.bucket_name, stopping),
        Ffmpeg(environment.ffmpeg, folder, stopping),
        MediaJobSettings(
            PlanLimits(
                max_part=environment.audio_part_seconds * _SECOND,
                max_piece=environment.piece_seconds * _SECOND,
                max_recording=environment.max_hours * 3600 * _SECOND,
            ),
            scratch_bytes=scratch,
            threads=environment.encode_threads,
        ),
        fetchers=Parallel(MAX_DOWNLOADS),
        log=log,
    )


def _aws_error_code(error: Exception) -> str:
    """What AWS calls it, if it was AWS."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _failure_reason(error: Exception) -> str:
    """Our own exceptions say what happened; others may quote what they were about."""
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
    print(f"media job: {text}", file=sys.stderr, flush=True)  # noqa: T201 - where a job says why it failed


if __name__ == "__main__":
    sys.exit(main())
