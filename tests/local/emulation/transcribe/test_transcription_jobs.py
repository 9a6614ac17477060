"""Tests of the local Transcribe's batch jobs with a real client: valid requests, the end of a job, and its output."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import PITCHES, SENTENCE_END, WORDS, silence, speech
from local.emulation.transcribe import transcription_jobs
from local.emulation.transcribe.transcription_jobs import CHECK_FILE, JobFault
from tests.local.emulation.fake_account import Account, create_client

pytestmark = pytest.mark.media
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
        yield ServedTranscribe(account, create_client("transcribe", port), now)


LOW, HIGH = PITCHES[0], PITCHES[3]


@pytest.fixture
def service() -> Iterator[ServedTranscribe]:
    with serve_transcribe() as service:
        yield service


def refusal(service: ServedTranscribe, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        service.start(**given)
    error = refused.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_transcript_has_text_items_and_speakers(service: ServedTranscribe) -> None:
    ended = service.done(recording((LOW, "hello world"), (HIGH, "good day"), (LOW, "thank you")))
    assert ended["TranscriptionJobStatus"] == "COMPLETED"
    assert ended["Transcript"]["TranscriptFileUri"] == (
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/transcripts/one.json"
    )
    document = service.transcript()
    assert (document["jobName"], document["accountId"], document["status"]) == ("one", "123456789012", "COMPLETED")
    results = document["results"]
    assert results["transcripts"] == [{"transcript": "Hello world. Good day. Thank you."}]
    labels = results["speaker_labels"]
    assert labels["speakers"] == 2
    assert [item["speaker_label"] for item in labels["segments"]] == ["spk_0", "spk_1", "spk_0"]
    assert [item["alternatives"][0]["content"] for item in results["items"]] == [
        *("Hello", "world", "."),
        *("Good", "day", "."),
        *("Thank", "you", "."),
    ]
    assert [item["id"] for item in results["items"]] == list(range(9))
    assert "start_time" not in results["items"][2], "a full stop has no time"
    spoken = [item for item in results["items"] if item["type"] == "pronunciation"]
    assert float(spoken[0]["start_time"]) == pytest.approx(0.5, abs=0.05)
    times = [float(item[name]) for item in spoken for name in ("start_time", "end_time")]
    assert times == sorted(times)
    first = labels["segments"][0]
    assert (first["start_time"], first["end_time"]) == (spoken[0]["start_time"], spoken[1]["end_time"])
    assert [item["start_time"] for item in first["items"]] == [item["start_time"] for item in spoken[:2]]


def test_speakers_beyond_the_maximum_count_as_the_last_one(service: ServedTranscribe) -> None:
    words = [(pitch, "hello") for pitch in PITCHES[:4]]
    service.done(recording(*words), Settings={"ShowSpeakerLabels": True, "MaxSpeakerLabels": 2})
    labels = service.transcript()["results"]["speaker_labels"]
    assert labels["speakers"] == 2
    assert [item["speaker_label"] for item in labels["segments"]] == ["spk_0", "spk_1", "spk_1", "spk_1"]


def test_silence_without_speaker_labels_gives_a_transcript_without_words_and_speakers(
    service: ServedTranscribe,
) -> None:
    assert service.done(recording((LOW, "")), Settings=None)["TranscriptionJobStatus"] == "COMPLETED"
    assert service.transcript()["results"] == {"transcripts": [{"transcript": ""}], "items": []}


def test_a_job_completes_at_the_second_get_request(service: ServedTranscribe) -> None:
    started = service.start(media=recording((LOW, "hello")))
    assert (started["TranscriptionJobStatus"], "StartTime" in started) == ("IN_PROGRESS", True)
    service.now[0] += 60
    assert service.get()["TranscriptionJobStatus"] == "IN_PROGRESS"
    ended = service.get()
    assert ended["TranscriptionJobStatus"] == "COMPLETED"
    assert (ended["CompletionTime"] - ended["CreationTime"]).total_seconds() == 60
    assert service.get() == ended


def test_a_job_name_can_be_used_once_and_an_unknown_name_is_not_found(service: ServedTranscribe) -> None:
    service.start(media=recording((LOW, "hello")))
    assert refusal(service)[0] == "ConflictException"
    with pytest.raises(ClientError, match="couldn't be found") as refused:
        service.get("nobody")
    assert refused.value.response["Error"]["Code"] == "BadRequestException", "as seen on AWS, whatever the model says"


def test_a_job_needs_read_access_to_the_recording_and_write_access_beside_the_output(service: ServedTranscribe) -> None:
    for action in ("s3:GetObject KEY", "s3:PutObject KEY"):
        service.account.forbidden = {action}
        assert refusal(service, media=recording((LOW, "hello")))[0] == "BadRequestException"
    service.account.forbidden = set()
    service.start(media=recording((LOW, "hello")))
    assert service.account.objects[BUCKET, f"transcripts/{CHECK_FILE}"] == b""


@pytest.mark.parametrize(
    "media",
    [b"no sound at all", b"#EXTM3U\n/etc/hostname\n", recording((LOW, "hello"), encoding="ogg-opus")],
    ids=["no sound", "a list of files", "another format"],
)
def test_a_file_of_another_format_fails_its_job(service: ServedTranscribe, media: bytes) -> None:
    ended = service.done(media)
    assert (ended["TranscriptionJobStatus"], "Unsupported" in ended["FailureReason"]) == ("FAILED", True)
    assert (BUCKET, "transcripts/one.json") not in service.account.objects


@pytest.mark.parametrize(
    "given",
    [
        {"name": "with spaces"},
        {"Media": {"MediaFileUri": "https://example.com/one.flac"}},
        {"OutputBucketName": None},
    ],
)
def test_a_request_that_transcribe_would_refuse_is_a_bad_request(
    service: ServedTranscribe, given: dict[str, Any]
) -> None:
    assert refusal(service, media=recording((LOW, "hello")), **given)[0] == "BadRequestException"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("transcribe:StartTranscriptionJob", "*"),
        ("transcribe:GetTranscriptionJob", "arn:aws:transcribe:us-east-1:123456789012:transcription-job/one"),
    ],
)
def test_a_caller_without_the_grant_is_denied(service: ServedTranscribe, action: str, resource: str) -> None:
    service.account.objects[BUCKET, "audio/one.flac"] = recording((LOW, "hello"))
    service.account.forbidden = {action}
    with pytest.raises(ClientError, match="AccessDenied"):
        service.start() if "Start" in action else service.get()
    assert service.account.demanded[-1][:3] == ("KEY", action, resource)
    if "Start" in action:
        assert service.account.demanded[-1][3]["transcribe:OutputKey"] == "transcripts/one.json"


def test_fault_words_make_a_job_fail(service: ServedTranscribe) -> None:
    assert set(JobFault) <= set(WORDS)
    assert refusal(service, media=recording((LOW, "hello throttled")))[0] == "LimitExceededException"
    assert service.start()["TranscriptionJobStatus"] == "IN_PROGRESS", "the second try starts it"
    with serve_transcribe() as other:
        ended = other.done(recording((LOW, "hello broken")))
        assert (ended["TranscriptionJobStatus"], ended["FailureReason"][:8]) == ("FAILED", "Internal")
    with serve_transcribe() as other:
        other.done(recording((LOW, "hello malformed")))
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            other.transcript()
