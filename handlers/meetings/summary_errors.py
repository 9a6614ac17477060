"""Exceptions of the summary function, which the workflow recognises by their class names.

The workflow retries `ModelBusy` and `StorageFailed`, because they are usually transient. Answers of models are stored,
so a retry does not request them again. The other errors usually persist until a setting, a permission or the recording
changes, so they fail the meeting. No message contains data of a meeting.
"""

from enum import StrEnum


class SummaryFailed(Exception):
    """No summary could be written."""

    def __init__(self, cause: StrEnum | str) -> None:
        super().__init__(str(cause))


class EventMalformed(SummaryFailed):
    """The event from the workflow is invalid."""


class TranscriptMissing(SummaryFailed):
    """A part of the audio has no transcript."""


class TranscriptUnreadable(SummaryFailed):
    """A part's transcript is malformed or belongs to another part."""


class ModelBusy(SummaryFailed):
    """The model is throttled, unavailable, or too slow for the remaining time. Retry later."""


class ModelRefused(SummaryFailed):
    """The model gives no answer, and a retry would not help. Access is denied, or the request or answer is refused."""


class SummaryUnusable(SummaryFailed):
    """The model's answer was malformed twice."""


class StorageFailed(SummaryFailed):
    """S3 could not read or write an object, or a stored transcript or summary has an invalid form.

    `MeetingBucket` raises it in every function that uses the bucket. It is defined here, because the workflow only
    recognises it by its name if the summary function raises it.
    """
