"""Exception with which a check of the media job reports that the recording cannot be processed."""

from collections.abc import Iterable

from handlers.meetings.media_result import MediaOutcome, MediaResult
from handlers.meetings.upload_completion_file import WrongChunk


class RecordingUnprocessable(Exception):
    """The recording cannot be processed. `MediaJob.run` catches the exception and writes its `result`."""

    def __init__(self, outcome: MediaOutcome, wrong: Iterable[WrongChunk] = ()) -> None:
        super().__init__(outcome)
        self.result = MediaResult(outcome=outcome, wrong=tuple(wrong))
