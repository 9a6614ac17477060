"""What a job says, where its definition wants it: in the emulator's CloudWatch, and in a file for whoever looks for it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from ministack.core.responses import get_region

from local.patches.itself import OWNER, endpoint

FILE = "batch.log"
AT_ONCE = 500
DEFAULT_GROUP = "/aws/batch/job"


class NoGroup(Exception):
    """The log group is not there; said as Fargate says it."""

    def __init__(self) -> None:
        super().__init__(
            "ResourceInitializationError: failed to validate logger args: ResourceNotFoundException: "
            "The specified log group does not exist.: exit status 1"
        )


def group_of(container: Mapping[str, Any]) -> str:
    """The log group of a container's output."""
    options = (container.get("logConfiguration") or {}).get("options") or {}
    return str(options.get("awslogs-group", DEFAULT_GROUP))


def stream_of(container: Mapping[str, Any], definition: str, task: str) -> str:
    """The log stream of one task."""
    options = (container.get("logConfiguration") or {}).get("options") or {}
    return f"{options.get('awslogs-stream-prefix', definition)}/default/{task}"


class Lines:
    """One attempt's lines. Used by one thread at a time."""

    def __init__(self, folder: Path, group: str, stream: str) -> None:
        self._file = folder / FILE
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._waiting: list[dict[str, Any]] = []
        self._client: Any = boto3.client(
            "logs",
            get_region(),
            endpoint_url=endpoint(),
            # As the emulator's own services write theirs; whether a role may is asked before.
            aws_access_key_id=OWNER,
            aws_secret_access_key=OWNER,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )

    def open(self) -> None:
        """Makes the stream."""
        try:
            self._client.create_log_stream(**self._where)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise NoGroup from None
            raise

    def write(self, line: str) -> None:
        """Takes a line."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{self._where['logStreamName']} {line}\n")
        if line:  # CloudWatch takes no empty message
            self._waiting.append({"timestamp": int(time.time() * 1000), "message": line})
        if len(self._waiting) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Hands over what has come in."""
        if self._waiting:
            self._client.put_log_events(**self._where, logEvents=self._waiting)
            self._waiting = []
