"""How the summary fails, by names that the workflow retries or catches. Nothing of a meeting is in what they say.

`ModelBusy` and `StorageFailed` pass by themselves: what was answered until then is kept, so a retry goes on from there.
The others stay as they are until somebody changes a setting, a grant or a recording.
"""

from enum import StrEnum


class SummaryFailed(Exception):
    """There is no summary."""

    def __init__(self, cause: StrEnum | str) -> None:
        super().__init__(str(cause))


class EventMalformed(SummaryFailed):
    """The event is not what the workflow is to send."""


class TranscriptMissing(SummaryFailed):
    """A part of the sound has no transcript."""


class TranscriptUnreadable(SummaryFailed):
    """A part's transcript is none, or not of this part."""


class ModelBusy(SummaryFailed):
    """The model is throttled, not there, or too slow for the time that is left: to be retried."""


class ModelRefused(SummaryFailed):
    """The model may not be asked, or will not answer this."""


class SummaryUnusable(SummaryFailed):
    """What the model answers has not the form that was asked for, twice."""


class StorageFailed(SummaryFailed):
    """The bucket did not give or take something: to be retried."""
