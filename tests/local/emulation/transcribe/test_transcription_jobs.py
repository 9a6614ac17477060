"""Tests of the batch jobs of the local Transcribe, with boto3 and a fake account.

The local Transcribe recognises words that are coded as tones. Some words, for example `broken`, cause a fault.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulation.speech.audio_encoding_and_recognition import encode_audio
from local.emulation.speech.tone_words import PITCHES, SENTENCE_END, silence, speech
from local.emulation.transcribe import transcription_jobs
from local.emulation.transcribe.transcription_jobs import CHECK_FILE
from tests.local.emulation.fake_account import ACCESS_KEY, Account, create_client

pytestmark = pytest.mark.media
RATE = 16000
BUCKET = "meetings"


def encode_recording(*utterances: tuple[int | None, str], encoding: str = "flac") -> bytes:
    """Return an audio file in which each utterance has a voice, given by its pitch, and a text."""
    parts = [speech([*text.split(), SENTENCE_END], RATE, pitch) for pitch, text in utterances]
    return encode_audio(b"".join([silence(0.5, RATE), *parts]), RATE, encoding)


@dataclass
class ServedTranscribe:
    """The running service with its account and a client."""

    account: Account
    client: Any
    now: list[float]
    """Current time of the service, which a test can change. The list has one item."""

    def start(self, name: str = "one", media: bytes | None = None, **changes: Any) -> dict[str, Any]:
        """Start a job as the workflow does, and return its description. A parameter that is None is omitted."""
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
            **changes,
        }
        parameters = {key: value for key, value in request.items() if value is not None}
        return dict(self.client.start_transcription_job(**parameters)["TranscriptionJob"])

    def get(self, name: str = "one") -> dict[str, Any]:
        return dict(self.client.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"])

    def run(self, media: bytes, **changes: Any) -> dict[str, Any]:
        """Start a job, and return its description after its end."""
        self.start(media=media, **changes)
        assert self.get()["TranscriptionJobStatus"] == "IN_PROGRESS", "a job ends at the second request"
        return self.get()

    def transcript(self) -> dict[str, Any]:
        """Return the transcript that a job has written."""
        result: dict[str, Any] = json.loads(self.account.objects[BUCKET, "transcripts/one.json"])
        return result


LOW, HIGH = PITCHES[0], PITCHES[3]
"""Pitches of two voices."""


@pytest.fixture
def service() -> Iterator[ServedTranscribe]:
    account, now = Account(), [1_800_000_000.0]
    with transcription_jobs.serve(account, now=lambda: now[0]) as port:
        yield ServedTranscribe(account, create_client("transcribe", port), now)


def start_error(service: ServedTranscribe, **parameters: Any) -> str:
    """Return the error code with which the start of a job is refused."""
    with pytest.raises(ClientError) as error:
        service.start(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_a_transcript_has_text_items_and_speakers(service: ServedTranscribe) -> None:
    job = service.run(encode_recording((LOW, "hello world"), (HIGH, "good day"), (LOW, "thank you")))
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert job["Transcript"]["TranscriptFileUri"] == (
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/transcripts/one.json"
    )
    document = service.transcript()
    assert (document["jobName"], document["accountId"], document["status"]) == ("one", "123456789012", "COMPLETED")
    results = document["results"]
    assert results["transcripts"] == [{"transcript": "Hello world. Good day. Thank you."}]

    assert [item["alternatives"][0]["content"] for item in results["items"]] == [
        *("Hello", "world", "."),
        *("Good", "day", "."),
        *("Thank", "you", "."),
    ]
    assert [item["id"] for item in results["items"]] == list(range(9))
    assert "start_time" not in results["items"][2], "a full stop has no time"
    words = [item for item in results["items"] if item["type"] == "pronunciation"]
    assert float(words[0]["start_time"]) == pytest.approx(0.5, abs=0.05)
    times = [float(item[name]) for item in words for name in ("start_time", "end_time")]
    assert times == sorted(times)

    labels = results["speaker_labels"]
    assert labels["speakers"] == 2
    assert [segment["speaker_label"] for segment in labels["segments"]] == ["spk_0", "spk_1", "spk_0"]
    first_segment = labels["segments"][0]
    assert first_segment["start_time"] == words[0]["start_time"]
    assert first_segment["end_time"] == words[1]["end_time"]
    assert [item["start_time"] for item in first_segment["items"]] == [item["start_time"] for item in words[:2]]


def test_a_job_completes_at_the_second_get_request(service: ServedTranscribe) -> None:
    started = service.start(media=encode_recording((LOW, "hello")))
    assert (started["TranscriptionJobStatus"], "StartTime" in started) == ("IN_PROGRESS", True)
    service.now[0] += 60
    assert service.get()["TranscriptionJobStatus"] == "IN_PROGRESS"
    job = service.get()
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert (job["CompletionTime"] - job["CreationTime"]).total_seconds() == 60
    assert service.get() == job


def test_a_job_name_can_be_used_only_once(service: ServedTranscribe) -> None:
    service.start(media=encode_recording((LOW, "hello")))
    assert start_error(service) == "ConflictException"


def test_an_unknown_job_is_not_found(service: ServedTranscribe) -> None:
    with pytest.raises(ClientError, match="couldn't be found") as error:
        service.get("unknown")
    assert error.value.response["Error"]["Code"] == "BadRequestException", "AWS sends this code, not that of its model"


def test_a_caller_needs_read_access_to_the_recording_and_write_access_to_the_folder_of_the_output(
    service: ServedTranscribe,
) -> None:
    for action in (f"s3:GetObject {ACCESS_KEY}", f"s3:PutObject {ACCESS_KEY}"):
        service.account.denied_actions = {action}
        assert start_error(service, media=encode_recording((LOW, "hello"))) == "BadRequestException"
    service.account.denied_actions = set()
    service.start(media=encode_recording((LOW, "hello")))
    assert service.account.objects[BUCKET, f"transcripts/{CHECK_FILE}"] == b"", (
        "Transcribe tests the access with this file"
    )


@pytest.mark.parametrize(
    "media",
    [b"no sound at all", b"#EXTM3U\n/etc/hostname\n", encode_recording((LOW, "hello"), encoding="ogg-opus")],
    ids=["text", "playlist", "another format"],
)
def test_a_job_fails_if_its_file_does_not_have_the_given_format(service: ServedTranscribe, media: bytes) -> None:
    job = service.run(media)
    assert (job["TranscriptionJobStatus"], "Unsupported" in job["FailureReason"]) == ("FAILED", True)
    assert (BUCKET, "transcripts/one.json") not in service.account.objects


@pytest.mark.parametrize(
    "parameters",
    [{"name": "with spaces"}, {"Media": {"MediaFileUri": "https://example.com/one.flac"}}, {"OutputBucketName": None}],
)
def test_an_invalid_request_is_refused(service: ServedTranscribe, parameters: dict[str, Any]) -> None:
    assert start_error(service, media=encode_recording((LOW, "hello")), **parameters) == "BadRequestException"


def test_a_caller_without_the_grant_to_start_a_job_is_denied(service: ServedTranscribe) -> None:
    action = "transcribe:StartTranscriptionJob"
    service.account.denied_actions = {action}
    assert start_error(service, media=encode_recording((LOW, "hello"))) == "AccessDeniedException"
    *request, context = service.account.permission_checks[-1]
    assert request == [ACCESS_KEY, action, "*"]
    assert context["transcribe:OutputKey"] == "transcripts/one.json"


def test_a_caller_without_the_grant_to_read_a_job_is_denied(service: ServedTranscribe) -> None:
    action, job = "transcribe:GetTranscriptionJob", "arn:aws:transcribe:us-east-1:123456789012:transcription-job/one"
    service.account.denied_actions = {action}
    with pytest.raises(ClientError, match="AccessDenied"):
        service.get()
    assert service.account.permission_checks[-1][:3] == (ACCESS_KEY, action, job)


def test_the_word_throttled_throttles_the_first_start_of_a_job(service: ServedTranscribe) -> None:
    assert start_error(service, media=encode_recording((LOW, "hello throttled"))) == "LimitExceededException"
    assert service.start()["TranscriptionJobStatus"] == "IN_PROGRESS"


def test_the_word_broken_fails_a_job(service: ServedTranscribe) -> None:
    job = service.run(encode_recording((LOW, "hello broken")))
    assert job["TranscriptionJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("Internal")


def test_the_word_malformed_gives_a_transcript_that_is_no_json(service: ServedTranscribe) -> None:
    service.run(encode_recording((LOW, "hello malformed")))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        service.transcript()
