"""Log lines of handlers: JSON, and only fields from a list.

Events, keys, tokens and transcripts never reach a log. Fields are typed, so that a new one is a decision made here;
object keys and identities go in as hashes.
"""

import hashlib
from typing import TypedDict, Unpack

from aws_lambda_powertools import Logger


class Fields(TypedDict, total=False):
    """Everything that a log line may carry besides its event name."""

    accepted: int
    already_tracked: int
    cause: str
    checked: int
    claims_released: int
    code: str
    error_type: str
    failed: int
    files: int
    foreign: int
    key_hash: str
    manifest_id: str
    manifests: int
    missing: int
    oldest_pending_seconds: int
    processed: int
    records: int
    rejected: int
    released: int
    resolved: int
    settled: int
    superseded: int


ALLOWED = frozenset(Fields.__annotations__)


class EventLog:
    """Writes named events with fields of the list."""

    def __init__(self, level: str) -> None:
        self._logger = Logger(level=level, log_uncaught_exceptions=False)

    def debug(self, event: str, **fields: Unpack[Fields]) -> None:
        """What helps while building."""
        self._logger.debug(event, extra=_checked(fields))

    def info(self, event: str, **fields: Unpack[Fields]) -> None:
        """What happened."""
        self._logger.info(event, extra=_checked(fields))

    def warning(self, event: str, **fields: Unpack[Fields]) -> None:
        """What somebody may want to look at."""
        self._logger.warning(event, extra=_checked(fields))

    def error(self, event: str, **fields: Unpack[Fields]) -> None:
        """What failed."""
        self._logger.error(event, extra=_checked(fields))


def hashed(text: str) -> str:
    """A short fingerprint of something that must not be logged itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checked(fields: Fields) -> dict[str, object]:
    """Drops what is not on the list: the type checker refuses it, and at run time a line is better than a crash."""
    return {name: value for name, value in fields.items() if name in ALLOWED}
