"""Tests of the batch jobs of the local Transcribe, with boto3, a fake account and real speech."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.audio_formats import encode_audio, silence
from local.emulation.faults import Fault, Faults
from local.emulation.transcribe import transcription_jobs
from local.emulation.transcribe.transcription_jobs import CHECK_FILE
from local.flows.speech_clips import CLIPS, clip_texts, encode_clips
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
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
    faults: Faults
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

    def wait_for_end(self) -> dict[str, Any]:
        """Return the description of a job after its end."""
        deadline = time.monotonic() + JOB_SECONDS
        while (job := self.get())["TranscriptionJobStatus"] == "IN_PROGRESS":
            assert time.monotonic() < deadline, "the job did not end"
            time.sleep(0.02)
        return job

    def run(self, media: bytes, **changes: Any) -> dict[str, Any]:
        """Start a job, and return its description after its end."""
        self.start(media=media, **changes)
        return self.wait_for_end()

    def transcript(self) -> dict[str, Any]:
        """Return the transcript that a job has written."""
        result: dict[str, Any] = json.loads(self.account.objects[BUCKET, "transcripts/one.json"])
        return result


@pytest.fixture
def service() -> Iterator[ServedTranscribe]:
    account, faults, now = Account(), Faults(), [1_800_000_000.0]
    with transcription_jobs.serve(account, faults, now=lambda: now[0]) as port:
        yield ServedTranscribe(account, faults, create_client("transcribe", port), now)


def start_error(service: ServedTranscribe, **parameters: Any) -> str:
    """Return the error code with which the start of a job is refused."""
    with pytest.raises(ClientError) as error:
        service.start(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_a_transcript_has_text_items_and_speakers(service: ServedTranscribe) -> None:
    clips = ("welcome", "spending", "report")
    job = service.run(encode_clips("flac", *clips))
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert job["Transcript"]["TranscriptFileUri"] == (
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/transcripts/one.json"
    )
    document = service.transcript()
    assert (document["jobName"], document["accountId"], document["status"]) == ("one", "123456789012", "COMPLETED")
    results = document["results"]
    [transcript] = results["transcripts"]
    assert word_error_rate(" ".join(clip_texts(*clips)), transcript["transcript"]) <= MAX_WORD_ERROR_RATE

    items = results["items"]
    assert [item["id"] for item in items] == list(range(len(items)))
    words = [item for item in items if item["type"] == "pronunciation"]
    assert all("start_time" not in item for item in items if item not in words), "a punctuation mark has no time"
    assert [item["alternatives"][0]["content"] for item in words] == transcript["transcript"].translate(
        str.maketrans("", "", ",.")
    ).split()
    assert float(words[0]["start_time"]) == pytest.approx(0.3, abs=0.1)
    times = [float(item[name]) for item in words for name in ("start_time", "end_time")]
    assert times == sorted(times)

    labels = results["speaker_labels"]
    assert labels["speakers"] == 2
    assert [segment["speaker_label"] for segment in labels["segments"]] == ["spk_0", "spk_1", "spk_0"]
    first_segment = labels["segments"][0]
    assert first_segment["start_time"] == words[0]["start_time"]
    first_words = words[: len(first_segment["items"])]
    assert first_segment["end_time"] == first_words[-1]["end_time"]
    assert [item["start_time"] for item in first_segment["items"]] == [item["start_time"] for item in first_words]


def test_every_clip_is_recognised(service: ServedTranscribe) -> None:
    service.run(encode_clips("flac", *CLIPS))
    segments = service.transcript()["results"]["speaker_labels"]["segments"]
    assert len(segments) == len(CLIPS)
    words = [item for item in service.transcript()["results"]["items"] if item["type"] == "pronunciation"]
    for clip, segment in zip(CLIPS.values(), segments, strict=True):
        starts = {item["start_time"] for item in segment["items"]}
        text = " ".join(word["alternatives"][0]["content"] for word in words if word["start_time"] in starts)
        assert word_error_rate(clip.text, text) <= MAX_WORD_ERROR_RATE, f"{clip.name}: {text}"


def test_a_recording_in_another_language_gets_a_note_in_place_of_its_text(service: ServedTranscribe) -> None:
    service.run(SILENCE, LanguageCode="de-DE")
    [transcript] = service.transcript()["results"]["transcripts"]
    assert "understands English" in transcript["transcript"]


def test_a_job_describes_its_times(service: ServedTranscribe) -> None:
    started = service.start(media=SILENCE)
    assert (started["TranscriptionJobStatus"], "StartTime" in started) == ("IN_PROGRESS", True)
    service.now[0] += 60
    job = service.wait_for_end()
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert (job["CompletionTime"] - job["CreationTime"]).total_seconds() == 60
    assert service.get() == job
    assert service.transcript()["results"]["transcripts"] == [{"transcript": ""}]


def test_a_job_name_can_be_used_only_once(service: ServedTranscribe) -> None:
    service.start(media=SILENCE)
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
        assert start_error(service, media=SILENCE) == "BadRequestException"
    service.account.denied_actions = set()
    service.start(media=SILENCE)
    assert service.account.objects[BUCKET, f"transcripts/{CHECK_FILE}"] == b"", (
        "Transcribe tests the access with this file"
    )


@pytest.mark.parametrize(
    "media",
    [b"no sound at all", b"#EXTM3U\n/etc/hostname\n", encode_audio(silence(1), "ogg-opus")],
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
    assert start_error(service, media=SILENCE, **parameters) == "BadRequestException"


def test_a_caller_without_the_grant_to_start_a_job_is_denied(service: ServedTranscribe) -> None:
    action = "transcribe:StartTranscriptionJob"
    service.account.denied_actions = {action}
    assert start_error(service, media=SILENCE) == "AccessDeniedException"
    *request, context = service.account.permission_checks[-1]
    assert request == [ACCESS_KEY, action, "*"]
    assert context["transcribe:OutputKey"] == "transcripts/one.json"


def test_a_caller_without_the_grant_to_read_a_job_is_denied(service: ServedTranscribe) -> None:
    action, job = "transcribe:GetTranscriptionJob", "arn:aws:transcribe:us-east-1:123456789012:transcription-job/one"
    service.account.denied_actions = {action}
    with pytest.raises(ClientError, match="AccessDenied"):
        service.get()
    assert service.account.permission_checks[-1][:3] == (ACCESS_KEY, action, job)


def test_the_fault_throttled_refuses_the_start_of_one_job(service: ServedTranscribe) -> None:
    service.faults.set(Fault.JOB_THROTTLED)
    assert start_error(service, media=SILENCE) == "LimitExceededException"
    assert service.start()["TranscriptionJobStatus"] == "IN_PROGRESS"


def test_the_fault_broken_fails_a_job(service: ServedTranscribe) -> None:
    service.faults.set(Fault.JOB_BROKEN)
    job = service.run(SILENCE)
    assert job["TranscriptionJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("Internal")


def test_the_fault_malformed_gives_a_transcript_that_is_no_json(service: ServedTranscribe) -> None:
    service.faults.set(Fault.JOB_MALFORMED)
    service.run(SILENCE)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        service.transcript()
