"""Exceptions of the meetings client, one class for each reaction that a caller can have. All are a `MeetingsError`.

Errors of S3 and DynamoDB are raised as botocore's own exceptions, except during an upload, where they are the
`__cause__` of `UploadInterrupted`. No message contains a token or credentials.
"""

from handlers.meetings.meeting_record import MeetingReason, MeetingRecord
from handlers.meetings.upload_completion_file import WrongChunk


class MeetingsError(Exception):
    """A call of the meetings client failed."""


class ExchangeFailed(MeetingsError):
    """The identity provider's token could not be exchanged for AWS credentials.

    `code` is the backend's error code, or `HTTP_` with the status if the response has none. The client's own codes are
    `UNREACHABLE`, `NOT_UNDERSTOOD` (an invalid response) and `CLOCK_WRONG` (new credentials that are already expired).
    """

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.request_id = request_id
        """Id under which an operator finds the request in the backend's logs."""


class TokenRefused(ExchangeFailed):
    """The backend rejected the token, so a new token is needed. The code of an expired token is `TOKEN_EXPIRED`."""


class RequestRefused(ExchangeFailed):
    """The API refused the request for another reason than its token, so repeating it does not help.

    `fields` contains the invalid fields and their rules.
    """

    def __init__(self, code: str, message: str, request_id: str = "", fields: tuple[tuple[str, str], ...] = ()) -> None:
        problems = "".join(f"; {name}: {rule}" for name, rule in fields)
        super().__init__(code, message + problems, request_id)
        self.fields = fields


class ExchangeUnavailable(ExchangeFailed):
    """The backend is unreachable, busy or faulty. The call may be repeated after `retry_after_seconds`."""

    def __init__(self, code: str, message: str, request_id: str = "", retry_after_seconds: float = 5) -> None:
        super().__init__(code, message, request_id)
        self.retry_after_seconds = retry_after_seconds


class UserChanged(MeetingsError):
    """A new token belongs to another user. A client serves one user, so the other user needs a new client."""


class ChunkRefused(MeetingsError, ValueError):
    """A file is empty or larger than 5 GiB, or the recording has no file or too many."""


class UploadInterrupted(MeetingsError):
    """An upload was not completed, for the reason in `__cause__`. Uploading again with the same meeting id continues
    it.
    """

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"The upload of meeting {meeting_id} was interrupted. Upload again with this id to continue.")
        self.meeting_id = meeting_id


class MeetingUnknown(MeetingsError):
    """The user has no meeting with this id, or the backend has not processed the meeting's first upload yet."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"There is no meeting {meeting_id}.")
        self.meeting_id = meeting_id


class MeetingUnreadable(MeetingsError):
    """The meeting exists, but this version of the client cannot read its record."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(
            f"This client cannot read the record of meeting {meeting_id}. Use the client of the backend's version."
        )
        self.meeting_id = meeting_id


class MeetingFailed(MeetingsError):
    """The processing failed. Uploading again with the same meeting id restarts it."""

    def __init__(self, record: MeetingRecord) -> None:
        super().__init__(f"Meeting {record.meeting_id} failed: {record.reason}")
        self.record = record

    @property
    def reason(self) -> MeetingReason | None:
        """Reason of the failure."""
        return self.record.reason


class MeetingIncomplete(MeetingsError):
    """Files of the recording (chunks) are missing or damaged. Uploading the recording again with the same meeting id
    sends these chunks and starts the processing.
    """

    def __init__(self, record: MeetingRecord) -> None:
        super().__init__(
            f"Meeting {record.meeting_id} has wrong chunks: "
            f"{', '.join(f'{chunk.name} ({chunk.problem})' for chunk in record.wrong)}"
        )
        self.record = record

    @property
    def wrong(self) -> tuple[WrongChunk, ...]:
        """Missing or damaged chunks, each with its problem."""
        return self.record.wrong


class NotReadyInTime(MeetingsError):
    """The meeting was not ready within the waiting time. Its processing may still continue."""

    def __init__(self, meeting_id: str, record: MeetingRecord | None) -> None:
        super().__init__(
            f"Meeting {meeting_id} is not ready yet: {'it is unknown' if record is None else record.status}"
        )
        self.meeting_id = meeting_id
        self.record = record
        """The record that was read last. None if there was none with this meeting id."""


class NotMade(MeetingsError):
    """The meeting has no summary or transcript. It is not ready yet, or `record.reason` states why it will not have
    one.
    """

    def __init__(self, output: str, record: MeetingRecord) -> None:
        super().__init__(
            f"Meeting {record.meeting_id} is {record.status} and has no {output}: {record.reason or 'not yet'}"
        )
        self.record = record
