"""What the workflow's parts leave in the bucket, as its steps read it: the media job's result, and what else is there.

The result is ours, and still parsed: whatever it names must be the recording's own.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from handlers.meetings.media import AudioPart, MediaOutcome, MediaResult
from handlers.meetings.places import Recording

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of a result: it may name 5,000 chunks."""


class ResultMissing(Exception):
    """The media job has ended and said nothing."""


class ResultMalformed(Exception):
    """What the media job said is not what it is to say."""


class Results:
    """Reads results, with GetObject and ListObjectsV2."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def media(self, recording: Recording) -> MediaResult:
        """What the media job said last; raises ResultMissing or ResultMalformed."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=recording.media_result)
        except self._client.exceptions.NoSuchKey:
            raise ResultMissing from None
        with closing(answer["Body"]) as body:
            text = body.read(MAX_BYTES + 1)
        try:
            result = MediaResult.model_validate_json(text)
        except ValidationError:
            raise ResultMalformed from None
        if not _own(recording, result):
            raise ResultMalformed
        return result

    def has(self, key: str) -> bool:
        """Whether an object is there. Its name is asked for, not the object: that takes no right to read it."""
        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(one["Key"] == key for one in answer.get("Contents", ()))

    def heard(self, recording: Recording, language: str, audio: Sequence[AudioPart]) -> list[bool]:
        """Which parts of a recording's sound have a transcript: of this sound, and not of one that was divided otherwise.

        Once all of it is one transcript, that is what is read, and no part is needed.
        """
        if self.has(recording.transcript):
            return [True] * len(audio)
        made, heard = self._times(recording.sound), self._times(recording.parts_heard(language))
        keys = [(one.key, recording.part_transcript(number, language)) for number, one in enumerate(audio)]
        return [
            sound in made and transcript in heard and made[sound] <= heard[transcript] for sound, transcript in keys
        ]

    def _times(self, prefix: str) -> dict[str, datetime]:
        """When each object was made. No recording has a thousand parts."""
        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return {one["Key"]: one["LastModified"] for one in answer.get("Contents", ())}


def _own(recording: Recording, result: MediaResult) -> bool:
    """Whether all that it names is this recording's, and there is something to hear where it says so."""
    parts = [recording.audio(number) for number in range(len(result.audio))]
    return (
        [one.key for one in result.audio] == parts
        and result.video_key in {None, recording.video}
        and bool(result.audio) == (result.outcome is MediaOutcome.READY)
    )
