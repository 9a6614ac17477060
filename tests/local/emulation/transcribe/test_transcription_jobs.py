"""Tests of the batch jobs of the local Transcribe, with boto3, a fake account and real speech."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.audio_formats import encode_audio, silence
from local.emulation.faults import Faults
from local.emulation.transcribe import transcription_jobs
from local.flows import eventually
from local.flows.speech_clips import encode_clips
from tests.local.emulation.fake_account import ACCESS_KEY, Account, create_client

pytestmark = pytest.mark.media
BUCKET = "meetings"
JOB_SECONDS = 300
"""Time after which a job counts as hanging. It is long, because recognition is slow on a busy machine."""
SILENCE = encode_audio(silence(1), "flac")
"""Recording for tests in which the text does not matter."""


@dataclass
class ServedTranscribe:
    """The running service with its account and a client."""

    account: Account
    client: Any

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

    def run(self, media: bytes, name: str = "one", **changes: Any) -> dict[str, Any]:
        """Start a job, and return its description after its end."""
        self.start(name, media, **changes)

        def find_ended_job() -> dict[str, Any] | None:
            job = self.get(name)
            return None if job["TranscriptionJobStatus"] == "IN_PROGRESS" else job

        return eventually(find_ended_job, "the end of the job", JOB_SECONDS)

    def transcript(self) -> dict[str, Any]:
        """Return the transcript that a job has written."""
        result: dict[str, Any] = json.loads(self.account.objects[BUCKET, "transcripts/one.json"])
        return result


@pytest.fixture
def service() -> Iterator[ServedTranscribe]:
    account = Account()
    with transcription_jobs.serve(account, Faults()) as port:
        yield ServedTranscribe(account, create_client("transcribe", port))


def start_error(service: ServedTranscribe, **parameters: Any) -> str:
    """Return the error code with which the start of a job is refused."""
    with pytest.raises(ClientError) as error:
        service.start(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_a_transcript_has_text_items_and_speakers(service: ServedTranscribe) -> None:
    job = service.run(encode_clips("flac", "welcome", "spending"))
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert job["Transcript"]["TranscriptFileUri"] == (
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/transcripts/one.json"
    )
    results = service.transcript()["results"]
    [transcript] = results["transcripts"]
    items = results["items"]
    words = [item for item in items if item["type"] == "pronunciation"]
    assert all("start_time" not in item for item in items if item not in words), "a punctuation mark has no time"
    assert [item["alternatives"][0]["content"] for item in words] == transcript["transcript"].translate(
        str.maketrans("", "", ",.")
    ).split()
    times = [float(item[name]) for item in words for name in ("start_time", "end_time")]
    assert times == sorted(times)
    segments = results["speaker_labels"]["segments"]
    assert [segment["speaker_label"] for segment in segments] == ["spk_0", "spk_1"]
    first_words = words[: len(segments[0]["items"])]
    assert [item["start_time"] for item in segments[0]["items"]] == [item["start_time"] for item in first_words]


def test_a_recording_in_another_language_gets_a_note_in_place_of_its_text(service: ServedTranscribe) -> None:
    service.run(SILENCE, LanguageCode="de-DE")
    [transcript] = service.transcript()["results"]["transcripts"]
    assert "understands English" in transcript["transcript"]


def test_a_job_name_can_be_used_only_once(service: ServedTranscribe) -> None:
    service.start(media=SILENCE)
    assert start_error(service) == "ConflictException"


def test_an_unknown_job_is_not_found(service: ServedTranscribe) -> None:
    with pytest.raises(ClientError, match="couldn't be found") as error:
        service.get("unknown")
    assert error.value.response["Error"]["Code"] == "BadRequestException", "AWS sends this code, not that of its model"


@pytest.mark.parametrize(
    "media", [b"#EXTM3U\n/etc/hostname\n", encode_audio(silence(1), "ogg-opus")], ids=["playlist", "another format"]
)
def test_a_job_fails_if_its_file_does_not_have_the_given_format(service: ServedTranscribe, media: bytes) -> None:
    job = service.run(media)
    assert (job["TranscriptionJobStatus"], "Unsupported" in job["FailureReason"]) == ("FAILED", True)
    assert (BUCKET, "transcripts/one.json") not in service.account.objects


def test_a_caller_needs_grants_on_the_job_and_on_both_objects(service: ServedTranscribe) -> None:
    for action, code in {
        "transcribe:StartTranscriptionJob": "AccessDeniedException",
        f"s3:GetObject {ACCESS_KEY}": "BadRequestException",
        f"s3:PutObject {ACCESS_KEY}": "BadRequestException",
    }.items():
        service.account.denied_actions = {action}
        assert start_error(service, media=SILENCE) == code
    assert service.account.permission_checks[0][3]["transcribe:OutputKey"] == "transcripts/one.json"
    service.account.denied_actions = {"transcribe:GetTranscriptionJob"}
    service.start()
    with pytest.raises(ClientError, match="AccessDenied"):
        service.get()
