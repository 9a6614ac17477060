"""Exception that ends the media job early, because the recording cannot be processed."""

from collections.abc import Iterable

from handlers.meetings.media_result import MediaOutcome, MediaResult
from handlers.meetings.upload_completion_file import WrongChunk


class RecordingUnprocessable(Exception):
    """The recording cannot be processed. The exception contains the result that the job writes."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))
