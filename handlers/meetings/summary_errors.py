"""Exceptions with which the summary function fails. The Step Functions workflow recognises them by their class names.

The workflow retries the function after `ModelBusy` and `StorageFailed`, because these errors are usually transient.
After any other of these exceptions, it marks the meeting as failed, because the error would persist until a setting, a
permission or the recording changes. No message contains data of a meeting.
"""

from enum import StrEnum


class SummaryFailed(Exception):
    """Base of these exceptions: no summary could be written."""

    def __init__(self, cause: StrEnum | str) -> None:
        super().__init__(str(cause))


class EventMalformed(SummaryFailed):
    """The event with which the workflow invoked the function is invalid."""


class TranscriptMissing(SummaryFailed):
    """A part of the audio has no transcript."""


class TranscriptUnreadable(SummaryFailed):
    """Amazon Transcribe's output for a part is malformed or too large, or does not fit the part's duration."""


class ModelBusy(SummaryFailed):
    """The model is throttled, unavailable, or too slow for the remaining time of the invocation."""


class ModelRefused(SummaryFailed):
    """The model gives no answer, and a retry would not help, for example because access is denied, or because a
    content filter stopped the answer.
    """


class SummaryUnusable(SummaryFailed):
    """The model was asked twice, and both answers were malformed."""


class StorageFailed(SummaryFailed):
    """S3 could not read or write an object, or a stored transcript or summary has an invalid form.

    `MeetingBucket` raises it also in other functions than the summary function.
    """
