"""What can go wrong for a client of meetings, by what to do about it. All are a `MeetingsError`.

What AWS itself refuses once there are credentials comes as botocore's own error, except during an upload, where it is
the cause of an `UploadInterrupted`. No text of an error holds a token or credentials.
"""

from handlers.meetings.complete_file import WrongChunk
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord


class MeetingsError(Exception):
    """Something went wrong with meetings."""


class ExchangeFailed(MeetingsError):
    """There are no credentials for a token. `code` is the backend's word for why."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.request_id = request_id
        """What to tell whoever looks for the request in the backend's logs."""


class TokenRefused(ExchangeFailed):
    """The token is not taken (401): get another one. `code` says whether it had ended."""


class RequestRefused(ExchangeFailed):
    """What was asked cannot be done, however often it is asked again. `fields` are the wrong ones, with their rules."""

    def __init__(self, code: str, message: str, request_id: str = "", fields: tuple[tuple[str, str], ...] = ()) -> None:
        told = "".join(f"; {name}: {rule}" for name, rule in fields)
        super().__init__(code, message + told, request_id)
        self.fields = fields


class ExchangeUnavailable(ExchangeFailed):
    """Nobody could tell now: ask again, `retry_after_seconds` later."""

    def __init__(self, code: str, message: str, request_id: str = "", retry_after_seconds: float = 5) -> None:
        super().__init__(code, message, request_id)
        self.retry_after_seconds = retry_after_seconds


class UserChanged(MeetingsError):
    """A renewed token was somebody else's. A client is of one user: make another one for the other."""


class ChunkRefused(MeetingsError, ValueError):
    """A file cannot be a chunk of a recording, and the message says why."""


class UploadInterrupted(MeetingsError):
    """An upload did not end; its cause says why. Upload again under the same meeting id: what is there stays there."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"the upload of {meeting_id} was interrupted; upload again under this id to go on")
        self.meeting_id = meeting_id


class MeetingUnknown(MeetingsError):
    """The user has no such meeting, or nothing of it has been noticed yet."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"there is no meeting {meeting_id}")
        self.meeting_id = meeting_id


class MeetingUnreadable(MeetingsError):
    """There is such a meeting, and this edition of the client cannot read it."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"meeting {meeting_id} is not as this client reads them: is it of the backend's edition?")
        self.meeting_id = meeting_id


class MeetingFailed(MeetingsError):
    """Nothing more will come of this recording."""

    def __init__(self, record: MeetingRecord) -> None:
        super().__init__(f"{record.meeting_id} failed: {record.reason}")
        self.record = record

    @property
    def reason(self) -> MeetingReason | None:
        """Why."""
        return self.record.reason


class MeetingIncomplete(MeetingsError):
    """Chunks are missing or wrong: upload them again under the same meeting id, and it goes on."""

    def __init__(self, record: MeetingRecord) -> None:
        super().__init__(
            f"{record.meeting_id} lacks {', '.join(f'{one.name} ({one.problem})' for one in record.wrong)}"
        )
        self.record = record

    @property
    def wrong(self) -> tuple[WrongChunk, ...]:
        """The chunks, and what is wrong with each."""
        return self.record.wrong


class NotReadyInTime(MeetingsError):
    """A meeting was not ready when the time to wait was over. It is still worked on."""

    def __init__(self, meeting_id: str, record: MeetingRecord | None) -> None:
        super().__init__(
            f"{meeting_id} is not ready yet: {'nothing is known of it' if record is None else record.status}"
        )
        self.record = record


class NotMade(MeetingsError):
    """A meeting has no summary, or no transcript: it is not ready yet, or `record.reason` says why it never will."""

    def __init__(self, what: str, record: MeetingRecord) -> None:
        super().__init__(f"{record.meeting_id} is {record.status} and has no {what}: {record.reason or 'not yet'}")
        self.record = record
