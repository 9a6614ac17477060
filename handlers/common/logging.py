"""Log lines of handlers: JSON, and only fields from a list.

Events, keys, tokens and transcripts never reach a log. Fields are typed, so that a new one is a decision made here;
object keys and identities go in as hashes.
"""

import hashlib
import logging
from typing import TypedDict, Unpack

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter


class Fields(TypedDict, total=False):
    """Everything that a log line may carry besides its event name."""

    action_items: int
    bad_clips: int
    bytes_read: int
    bytes_written: int
    cache_read_tokens: int
    cache_write_tokens: int
    cause: str
    checked: int
    claims: int
    clips: int
    code: str
    dropped: int
    dropped_citations: int
    duplicates: int
    elsewhere: int
    ended: int
    error_type: str
    failed: int
    fallback: str
    files: int
    finals: int
    first_piece_milliseconds: int
    ignored: int
    input_tokens: int
    interruptions: int
    invented: int
    key_hash: str
    lost: int
    malformed: int
    manifest_id: str
    manifests: int
    milliseconds: int
    missing: int
    never_complete: int
    never_uploaded: int
    objects: int
    oldest_pending_seconds: int
    orphans: int
    outcome: str
    output_tokens: int
    partials: int
    parts: int
    pieces: int
    ready: int
    records: int
    rejected: int
    released: int
    requests: int
    resolved: int
    route: str
    session_hash: str
    settled: int
    started: int
    task: str
    tidied: int
    timed_out: int
    unfounded: int
    unfinished: int
    users: int
    windows: int


ALLOWED = frozenset(Fields.__annotations__)


class EventLog:
    """Writes named events with fields of the list."""

    def __init__(self, level: str, *, structured: bool = True) -> None:
        """Not `structured`: plain text, for a person who reads along.

        Times are RFC 3339: Lambda cannot tell the level of a line with any other, and would filter it out.
        """
        formatter = None if structured else _Plain()
        self._logger = Logger(level=level, use_rfc3339=True, log_uncaught_exceptions=False, logger_formatter=formatter)

    def info(self, event: str, **fields: Unpack[Fields]) -> None:
        """What happened."""
        self._logger.info(event, extra=_checked(fields))

    def warning(self, event: str, **fields: Unpack[Fields]) -> None:
        """What somebody may want to look at."""
        self._logger.warning(event, extra=_checked(fields))

    def error(self, event: str, **fields: Unpack[Fields]) -> None:
        """What failed."""
        self._logger.error(event, extra=_checked(fields))


class _Plain(BasePowertoolsFormatter):
    """One line of text: level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={getattr(record, name)}" for name in sorted(ALLOWED) if hasattr(record, name)]
        return " ".join([record.levelname, record.getMessage(), *fields])

    def append_keys(self, **additional_keys: object) -> None:
        """Nothing is kept from line to line."""

    def clear_state(self) -> None:
        """Nothing is kept from line to line."""


def hashed(text: str) -> str:
    """A short fingerprint of something that must not be logged itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checked(fields: Fields) -> dict[str, object]:
    """Drops what is not on the list: the type checker refuses it, and at run time a line is better than a crash."""
    return {name: value for name, value in fields.items() if name in ALLOWED}
