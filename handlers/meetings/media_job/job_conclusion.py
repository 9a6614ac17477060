"""Exception that ends the media job with a result, because the recording cannot be processed."""

from collections.abc import Iterable

from handlers.meetings.media_result import MediaOutcome, MediaResult
from handlers.meetings.upload_completion_file import WrongChunk


class JobConcluded(Exception):
    """The recording cannot be processed. The exception contains the job's result."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))
