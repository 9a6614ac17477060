"""Structured logger of all Lambda functions. It writes JSON lines that contain only fields from an allow-list.

The events that functions receive, secrets, tokens and transcripts must never be logged. Every field is declared here,
so a new field is a deliberate decision. Object keys, and ids of sessions, uploads and episodes, are logged as hashes.
"""

import hashlib
import logging
from typing import TypedDict, Unpack

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter


class LogFields(TypedDict, total=False):
    """Fields that a log line may have in addition to its event name.

    An integer is a count, unless its name contains a unit. If such a field has no explanation, its name says which
    items were counted in the logged work. For example, `clips` is the number of clips in an answer.
    """

    action_items: int
    bad_clips: int
    """Clips with a wrong position or length, without a title, repeated, or without measured times."""
    bytes_read: int
    bytes_written: int
    cache_read_tokens: int
    cache_write_tokens: int
    cause: str
    """Reason for a failure or a refusal."""
    checked: int
    """Items that a sweep handled, including failed items."""
    claims: int
    """Factual claims of a broadcast that were found in a window of its transcript."""
    clips: int
    code: str
    """Code of an error or of a rejection."""
    dropped: int
    """Action items whose quote does not occur in the transcript, or partial captions that the rate limit suppressed."""
    dropped_citations: int
    """Citations that lie outside the lecture."""
    duplicates: int
    """Captions whose text was already shown."""
    elsewhere: int
    """Claims and clips that begin in the overlap of two windows, so that the other window is responsible for them."""
    error_code: int
    """MediaConvert's error code of a failed job."""
    error_type: str
    failed: int
    fallback: str
    """Reason why only final captions were shown."""
    files: int
    finals: int
    """Final captions."""
    first_piece_milliseconds: int
    """Time from a question to the first piece of its answer."""
    ignored: int
    input_tokens: int
    interruptions: int
    """Interrupted runs of a media job, before its last run."""
    invented: int
    """Factual claims whose quote does not occur in the transcript."""
    key_hash: str
    lost: int
    """Utterances whose processing did not end in time, so that the client must send them again."""
    malformed: int
    """Items of a model's answer that have the wrong form."""
    manifest_id: str
    manifests: int
    milliseconds: int
    missing: int
    """Missing or wrong chunks of a meeting, or uploads whose notification was lost."""
    never_uploaded: int
    """Videos and transcripts of episodes whose upload did not arrive in time."""
    objects: int
    oldest_pending_seconds: int
    orphans: int
    """Partial captions that never became final."""
    outcome: str
    """Result of the work: a member of the subsystem's enum."""
    output_tokens: int
    partials: int
    """Partial captions."""
    parts: int
    """Windows of a meeting's transcript. Livestream counts its windows as `windows`."""
    pieces: int
    """Numbered parts of an answer."""
    ready: int
    records: int
    rejected: int
    released: int
    """Files whose reservation for a manifest was released."""
    requests: int
    resolved: int
    """Manifests whose old reservations of files were checked."""
    route: str
    """REST operation, action of a WebSocket message, or kind of event."""
    session_hash: str
    settled: int
    """Running manifests that were closed, because their execution had ended."""
    task: str
    """Task of a question to a model."""
    tidied: int
    """Deleted episodes whose objects, agent memory, claims and clips were removed."""
    timed_out: int
    """Videos and transcripts of episodes whose processing took too long."""
    unfounded: int
    """Factual claims whose verdict was changed to unverified, because it had no valid source."""
    unfinished: int
    """1 if a sweep's time ran out, or else 0."""
    users: int
    windows: int


ALLOWED_LOG_FIELDS = frozenset(LogFields.__annotations__)


class EventLog:
    """Logger for events. Each event has a name and some of the allowed fields."""

    def __init__(self, level: str, *, structured: bool = True) -> None:
        """Create a logger. With `structured=False`, lines are plain text for a terminal.

        Timestamps have the RFC 3339 format. Lambda cannot determine the log level of a line whose timestamp has another
        format, and would drop the line.
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
    """Return the allowed fields without others.

    The type checker already rejects fields that are not allowed. At run time they are dropped and raise no exception,
    because a log line must not make a handler fail.
    """
    return {name: value for name, value in fields.items() if name in ALLOWED_LOG_FIELDS}
