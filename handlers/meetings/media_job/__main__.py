"""Entry point of the media job: `python -m handlers.meetings.media_job`, configured by environment variables.

The media job is an AWS Batch job that joins the files of one recording to a video, and extracts the audio. It writes
its outcome to the object `result.json` in the meetings bucket.

The exit status is 0 if the job wrote an outcome, even if the outcome is that the recording cannot be processed. It is 1 if
the job failed, for example because the memory ran out and the kernel killed ffmpeg. The log line `media_failed` then names
the error.

SIGTERM ends the job at once, for example because its Spot capacity is reclaimed. Another attempt starts again.
"""

import sys
import tempfile
from pathlib import Path

import boto3

from handlers.common.aws import CONFIG
from handlers.common.logging import EventLog
from handlers.meetings.environment import MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg
from handlers.meetings.media_job.job import MediaJob
from handlers.meetings.meeting_bucket import MeetingBucket


def main() -> int:
    """Run the job; return the exit status."""
    environment = MediaEnvironment.read()
    log = EventLog(environment.log_level)
    try:
        with tempfile.TemporaryDirectory(dir=environment.scratch_folder, prefix="media-") as folder:
            ffmpeg = Ffmpeg(environment.ffmpeg, Path(folder))
            bucket = MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name)
            MediaJob(environment, bucket, ffmpeg, log).run()
    except Exception as error:  # noqa: BLE001 - the message may quote customer data, so it is not printed
        log.failure("media_failed", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
