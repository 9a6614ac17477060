"""What the workflow's parts leave in the bucket, as its steps read it: the media job's result, and what else is there.

The result is ours, and still parsed: whatever it names must be the recording's own.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.s3_keys import Recording

MAX_RESULT_BYTES: Final = 4 * 1024 * 1024
"""Of a result: it may name 5,000 chunks."""


class ResultMissing(Exception):
    """The media job has ended and said nothing."""


class ResultMalformed(Exception):
    """What the media job said is not what it is to say."""


class WorkflowResults:
    """Reads results."""

    def __init__(self, store: MeetingStore) -> None:
        self._store = store

    def read_media_result(self, recording: Recording) -> MediaResult:
        """What the media job said last; raises ResultMissing or ResultMalformed."""
        text = self._store.read(recording.media_result_key, MAX_RESULT_BYTES)
        if text is None:
            raise ResultMissing
        try:
            result = MediaResult.model_validate_json(text)
        except ValidationError:
            raise ResultMalformed from None
        if not _names_own_objects(recording, result):
            raise ResultMalformed
        return result

    def has_transcript(self, recording: Recording) -> bool:
        """Whether all that was said is one transcript already."""
        return self._store.exists(recording.transcript_key)

    def find_part_transcripts(self, recording: Recording, language: str, audio: Sequence[AudioPart]) -> list[bool]:
        """Which parts of a recording's sound have a transcript: of this sound, and not of one that was divided otherwise.

        Once all of it is one transcript, that is what is read, and no part is needed.
        """
        if self.has_transcript(recording):
            return [True] * len(audio)
        made, heard = (
            self._store.list_modified_times(recording.audio_prefix),
            self._store.list_modified_times(recording.part_transcript_prefix(language)),
        )
        keys = [(one.key, recording.part_transcript_key(number, language)) for number, one in enumerate(audio)]
        return [
            sound in made and transcript in heard and made[sound] <= heard[transcript] for sound, transcript in keys
        ]


def _names_own_objects(recording: Recording, result: MediaResult) -> bool:
    """Whether all that it names is this recording's, and there is something to hear where it says so."""
    parts = [recording.audio_key(number) for number in range(len(result.audio))]
    return (
        [part.key for part in result.audio] == parts
        and result.video_key in {None, recording.video_key}
        and bool(result.audio) == (result.outcome is MediaOutcome.READY)
    )
