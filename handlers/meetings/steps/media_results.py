"""Reader of the objects that the jobs of a recording's workflow wrote to the bucket.

These are the result of the media job, which makes video and audio, and the transcripts of the parts of the audio. The
result is validated, because the media job handles untrusted files. For example, the result may only name keys of its
recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from handlers.meetings.media_result import MAX_RESULT_BYTES, AudioPart, MediaOutcome, MediaResult
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.s3_keys import Recording


class ResultMissing(Exception):
    """The media job ended without writing a result."""


class ResultMalformed(Exception):
    """The media job's result is invalid."""


@dataclass(frozen=True)
class MediaResults:
    """Reads the media job's results, and finds transcripts."""

    bucket: MeetingBucket

    def read(self, recording: Recording) -> MediaResult:
        """Return the media job's latest result for a recording. Raises ResultMissing or ResultMalformed."""
        text = self.bucket.read(recording.media_result_key, MAX_RESULT_BYTES)
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
        """Return True if the transcript of the whole recording exists."""
        return self.bucket.exists(recording.transcript_key)

    def are_parts_transcribed(self, recording: Recording, language: str, audio: Sequence[AudioPart]) -> list[bool]:
        """Return a list with True for each part of the audio that need not be transcribed, because it has a transcript.

        A transcript that is older than the audio does not count, because the audio may have been cut differently when
        the transcript was made. If the transcript of the whole recording exists, no part needs a transcript.
        """
        if self.has_transcript(recording):
            return [True] * len(audio)
        audio_times = self.bucket.list_modified_times(recording.audio_prefix)
        transcript_times = self.bucket.list_modified_times(recording.part_transcript_prefix(language))
        keys = [(part.key, recording.part_transcript_key(number, language)) for number, part in enumerate(audio)]
        return [
            audio_key in audio_times
            and transcript_key in transcript_times
            and audio_times[audio_key] <= transcript_times[transcript_key]
            for audio_key, transcript_key in keys
        ]


def _names_own_objects(recording: Recording, result: MediaResult) -> bool:
    """Return True if all keys in the result belong to its recording, and it has audio parts if, and only if, its outcome
    is `ready`.
    """
    parts = [recording.audio_key(number) for number in range(len(result.audio))]
    return (
        [part.key for part in result.audio] == parts
        and result.video_key in {None, recording.video_key}
        and bool(result.audio) == (result.outcome is MediaOutcome.READY)
    )
