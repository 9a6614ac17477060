"""Structured logger of all Lambda functions. It writes JSON lines whose values have types that cannot hold free text.

The events that functions receive, secrets, tokens and transcripts must never be logged. So a value is a number, a
boolean, a member of an enum, or a `LogText`, which only this module creates: from a hash, a ULID, or a name. The type
checker refuses other values. At run time they are dropped, because a log line must not make a handler fail.

Each line has the position of the code that logs, and the id of the request if one is being handled. A client sees the
same id in an error response (`requestId`). `docs/runbooks/functions.md` explains how to find the line of a request.

The components of the Pulumi program import this module, through the dispatchers, without installing powertools. So a
logger imports it when it is created.
"""

import hashlib
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Literal, TypeAlias

from handlers.common.ids import ULID_PATTERN

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_PACKAGE = Path(__file__).parents[1]
"""Folder of the project's own code, the package `handlers`."""
_NAME = re.compile(r"[A-Za-z0-9_.:=+/-]{1,128}")
"""Form of request ids, and of the operations and error codes of AWS."""
_EVENT = re.compile(r"[a-z0-9_]{1,64}")
_CONSTANT = re.compile(r"[A-Za-z$][A-Za-z0-9_.]{0,79}")
"""Form of names that the program or AWS chose. API Gateway's route `$connect` begins with `$`."""
_RECORD_ATTRIBUTES = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""Names that a field must not have, because `logging` refuses them."""


class LogText(str):
    """Text that contains no data of customers. Only the functions of this module create it."""

    __slots__ = ()


LogValue: TypeAlias = bool | int | float | StrEnum | LogText | None
"""Value of a field. None leaves the field out."""


class EventLog:
    """Logger for events. Each event has a constant name, of letters, digits and `_`, and some fields."""

    def __init__(self, level: str, *, structured: bool = True) -> None:
        """Create a logger. With `structured=False`, lines are plain text for a terminal.

        Timestamps have the RFC 3339 format. Lambda cannot determine the log level of a line whose timestamp has another
        format, and would drop the line.
        """
        self._logger = _json_logger(level) if structured else _plain_logger(level)
        self._request_id: LogText | None = None

    @contextmanager
    def request(self, request_id: str) -> Iterator[None]:
        """Write API Gateway's id of a request into every line of the block."""
        self._request_id = LogText(request_id) if _NAME.fullmatch(request_id) else None
        try:
            yield
        finally:
            self._request_id = None

    def info(self, event: str, **fields: LogValue) -> None:
        """Log a normal event."""
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: LogValue) -> None:
        """Log an event that an operator may want to examine."""
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: LogValue) -> None:
        """Log a failure that no exception describes."""
        self._write("ERROR", event, fields)

    def failure(
        self, event: str, error: Exception, *, level: Literal["WARNING", "ERROR"] = "ERROR", **fields: LogValue
    ) -> None:
        """Log an exception: its type, the lines of code that it passed, and the AWS call that failed.

        Its message is not logged, because it may quote a request.
        """
        self._write(level, event, {**fields, **_describe(error)})

    def _write(self, level: str, event: str, fields: Mapping[str, LogValue]) -> None:
        caller = sys._getframe(2)  # noqa: SLF001 - the documented way to the caller's position
        allowed = {
            name: value
            for name, value in fields.items()
            if isinstance(value, (bool, int, float, StrEnum, LogText)) and name not in _RECORD_ATTRIBUTES
        }
        name = event if _EVENT.fullmatch(event) else "unnamed_event"
        location = _position(caller.f_code.co_filename, caller.f_lineno)
        request = {} if self._request_id is None else {"request_id": self._request_id}
        write = {"INFO": self._logger.info, "WARNING": self._logger.warning, "ERROR": self._logger.error}[level]
        write(name, extra={**allowed, **request, "location": location})


def _json_logger(level: str) -> "Logger":
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - not installed where the Pulumi program runs

    return Logger(level=level, use_rfc3339=True, log_uncaught_exceptions=False, location="%(location)s")


def _plain_logger(level: str) -> logging.Logger:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_PlainTextFormatter())
    logger = logging.getLogger("plain_text_events")
    logger.setLevel(level)
    logger.handlers, logger.propagate = [handler], False
    return logger


class _PlainTextFormatter(logging.Formatter):
    """Formatter that writes level, event and fields as one line of text."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={value}" for name, value in sorted(vars(record).items()) if name not in _RECORD_ATTRIBUTES]
        return " ".join([record.levelname, record.getMessage(), *fields])


def hash_for_log(text: str) -> LogText:
    """Return a short hash of a text that must not be logged itself."""
    return LogText(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16])


def id_for_log(text: str) -> LogText:
    """Return one of our own ids (a ULID) unchanged, and the hash of any other text."""
    return LogText(text) if re.fullmatch(ULID_PATTERN, text) else hash_for_log(text)


def name_for_log(text: str) -> LogText:
    """Return a name that the program or AWS chose, for example `States.Timeout`, or `unnamed` for any other text."""
    return LogText(text if _CONSTANT.fullmatch(text) else "unnamed")


def _describe_aws_call(error: Exception) -> dict[str, LogText]:
    """Return the log fields of the AWS call that raised an exception of botocore. They are empty for other exceptions.

    The service is not an attribute of the exception. It is read from the frame of botocore that made the call.
    """
    operation = getattr(error, "operation_name", None)
    for frame, _ in walk_tb(error.__traceback__):
        variables = frame.f_locals if frame.f_code.co_name == "_make_api_call" else {}
        if variables.keys() >= {"self", "operation_name"}:
            operation = f"{variables['self'].meta.service_model.service_name}.{variables['operation_name']}"
    response = getattr(error, "response", None)
    answer = response if isinstance(response, dict) else {}
    texts = {
        "aws_operation": operation,
        "aws_code": answer.get("Error", {}).get("Code"),
        "aws_request_id": answer.get("ResponseMetadata", {}).get("RequestId"),
    }
    return {name: LogText(text) for name, text in texts.items() if isinstance(text, str) and _NAME.fullmatch(text)}


def _describe(error: Exception) -> dict[str, LogText]:
    """Return the log fields of an exception."""
    positions = [_position(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    frames = [position for position in positions if not position.startswith("/")]  # those of the project's own code
    fields = {"error_type": LogText(type(error).__name__), **_describe_aws_call(error)}
    if frames:
        fields["frames"] = LogText(" > ".join(frames))
    return fields


def _position(file: str, line: int) -> LogText:
    """Return file and line. The path of the project's own code begins with `handlers/`, others are absolute."""
    path = Path(file)
    return LogText(f"{path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else path.absolute()}:{line}")
