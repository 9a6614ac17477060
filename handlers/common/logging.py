"""Structured logger of all handlers. It writes JSON lines that contain only fields from an allow-list.

Events, keys, tokens and transcripts must never be logged. Every field is declared here, so a new field is a deliberate
decision. Object keys and user ids are logged as hashes.
"""

import hashlib
import logging
from typing import TypedDict, Unpack

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter


class LogFields(TypedDict, total=False):
    """Fields that a log line may have in addition to its event name.

    An integer is a count, unless its name contains a unit. The events that use a field define what it counts.
    """

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


ALLOWED_LOG_FIELDS = frozenset(LogFields.__annotations__)


class EventLog:
    """Logger for named events with allowed fields."""

    def __init__(self, level: str, *, structured: bool = True) -> None:
        """Create a logger. With `structured=False`, lines are plain text for a terminal.

        Timestamps have the RFC 3339 format. Lambda cannot determine the log level of a line with another format, and
        would drop the line.
        """
        formatter = None if structured else _PlainTextFormatter()
        self._logger = Logger(level=level, use_rfc3339=True, log_uncaught_exceptions=False, logger_formatter=formatter)

    def info(self, event: str, **fields: Unpack[LogFields]) -> None:
        """Log a normal event."""
        self._logger.info(event, extra=_allowed_fields(fields))

    def warning(self, event: str, **fields: Unpack[LogFields]) -> None:
        """Log an event that an operator may want to examine."""
        self._logger.warning(event, extra=_allowed_fields(fields))

    def error(self, event: str, **fields: Unpack[LogFields]) -> None:
        """Log a failure."""
        self._logger.error(event, extra=_allowed_fields(fields))


class _PlainTextFormatter(BasePowertoolsFormatter):
    """Formatter that writes level, event and fields as one line of text."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={getattr(record, name)}" for name in sorted(ALLOWED_LOG_FIELDS) if hasattr(record, name)]
        return " ".join([record.levelname, record.getMessage(), *fields])

    def append_keys(self, **additional_keys: object) -> None:
        """Do nothing, because this formatter has no persistent keys."""

    def clear_state(self) -> None:
        """Do nothing, because this formatter has no persistent keys."""


def hash_for_log(text: str) -> str:
    """Return a short hash of a text that must not be logged itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _allowed_fields(fields: LogFields) -> dict[str, object]:
    """Return the allowed fields.

    The type checker rejects all other fields. At run time they are dropped, because a log line must not make a handler
    fail.
    """
    return {name: value for name, value in fields.items() if name in ALLOWED_LOG_FIELDS}
