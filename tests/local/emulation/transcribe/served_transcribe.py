"""The local Transcribe's batch API with an account in memory and a real client."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.emulation.speech.audio_files import encode_audio
from local.emulation.speech.tone_words import SENTENCE_END, silence, speech
from local.emulation.transcribe import transcription_jobs
from tests.local.emulation.fake_account import Account, client_of

RATE = 16000
BUCKET = "meetings"


def recording(*said: tuple[int | None, str], encoding: str = "flac") -> bytes:
    """Return an audio file in which several voices speak one after the other."""
    parts = [speech([*text.split(), SENTENCE_END], RATE, pitch) for pitch, text in said]
    return encode_audio(b"".join([silence(0.5, RATE), *parts]), RATE, encoding)


@dataclass
class ServedTranscribe:
    account: Account
    client: Any
    now: list[float]

    def start(self, name: str = "one", media: bytes | None = None, **more: Any) -> dict[str, Any]:
        """Start a job as the workflow does. A parameter that is None is omitted."""
        if media is not None:
            self.account.objects[BUCKET, "audio/one.flac"] = media
        request = {
            "TranscriptionJobName": name,
            "LanguageCode": "en-US",
            "MediaFormat": "flac",
            "Media": {"MediaFileUri": f"s3://{BUCKET}/audio/one.flac"},
            "OutputBucketName": BUCKET,
            "OutputKey": "transcripts/one.json",
            "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
            **more,
        }
        given = {key: value for key, value in request.items() if value is not None}
        return dict(self.client.start_transcription_job(**given)["TranscriptionJob"])

    def get(self, name: str = "one") -> dict[str, Any]:
        return dict(self.client.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"])

    def done(self, media: bytes, **more: Any) -> dict[str, Any]:
        """Start a job, and request its description until it has ended."""
        self.start(media=media, **more)
        assert self.get()["TranscriptionJobStatus"] == "IN_PROGRESS"
        return self.get()

    def transcript(self) -> dict[str, Any]:
        """Return the transcript that a job has written."""
        result: dict[str, Any] = json.loads(self.account.objects[BUCKET, "transcripts/one.json"])
        return result


@contextlib.contextmanager
def serve_transcribe() -> Iterator[ServedTranscribe]:
    account, now = Account(), [1_800_000_000.0]
    with transcription_jobs.serve(account, now=lambda: now[0]) as port:
        yield ServedTranscribe(account, client_of("transcribe", port), now)
