"""Objects that the workflow's jobs left in the bucket: the media job's result and the parts' transcripts.

The media job's result is validated although the job belongs to this project. For example, it may only name keys of its
own recording.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from handlers.meetings.media_result import AudioPart, MediaOutcome, MediaResult
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.s3_keys import Recording

MAX_RESULT_BYTES: Final = 4 * 1024 * 1024
"""A result may list 5,000 chunks."""


class ResultMissing(Exception):
    """The media job ended without writing a result."""


class ResultMalformed(Exception):
    """The media job's result is invalid."""


class JobResults:
    """Reads the objects that the jobs of a recording left."""

    def __init__(self, bucket: MeetingBucket) -> None:
        self._bucket = bucket

    def read_media_result(self, recording: Recording) -> MediaResult:
        """Return the media job's latest result; raise ResultMissing or ResultMalformed."""
        text = self._bucket.read(recording.media_result_key, MAX_RESULT_BYTES)
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
        """Return True if the whole transcript exists."""
        return self._bucket.exists(recording.transcript_key)

    def are_parts_transcribed(self, recording: Recording, language: str, audio: Sequence[AudioPart]) -> list[bool]:
        """Return for each part whether a transcript of exactly this audio exists.

        A transcript that is older than its audio belongs to parts that were cut differently. If the whole transcript
        exists, no part needs a transcript, because the summary reads the whole transcript.
        """
        if self.has_transcript(recording):
            return [True] * len(audio)
        audio_times = self._bucket.list_modified_times(recording.audio_prefix)
        transcript_times = self._bucket.list_modified_times(recording.part_transcript_prefix(language))
        keys = [(part.key, recording.part_transcript_key(number, language)) for number, part in enumerate(audio)]
        return [
            audio_key in audio_times
            and transcript_key in transcript_times
            and audio_times[audio_key] <= transcript_times[transcript_key]
            for audio_key, transcript_key in keys
        ]


def _names_own_objects(recording: Recording, result: MediaResult) -> bool:
    """Return True if all named keys are the recording's own, and audio parts exist exactly for `ready`."""
    parts = [recording.audio_key(number) for number in range(len(result.audio))]
    return (
        [part.key for part in result.audio] == parts
        and result.video_key in {None, recording.video_key}
        and bool(result.audio) == (result.outcome is MediaOutcome.READY)
    )
