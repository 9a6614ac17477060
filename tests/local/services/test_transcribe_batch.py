"""The local Transcribe's batch jobs, through a real client: what they take, how they get on, and what they write."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.services import transcribe_hearing
from local.services.tones import PITCHES, WORDS
from local.services.transcribe_jobs import Fault
from local.services.transcribe_jobs_rules import CHECK_FILE, MAX_BYTES
from tests.local.services.transcribe_serving import BUCKET, ROLE, Served, recording, served

pytestmark = pytest.mark.media

LOW, HIGH = PITCHES[0], PITCHES[3]


@pytest.fixture
def service() -> Iterator[Served]:
    with served() as found:
        yield found


def refusal(service: Served, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        service.start(**given)
    error = refused.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_recording_becomes_text_items_and_who_said_them(service: Served) -> None:
    ended = service.done(recording((LOW, "hello world"), (HIGH, "good day"), (LOW, "thank you")))
    assert ended["TranscriptionJobStatus"] == "COMPLETED"
    assert ended["Transcript"]["TranscriptFileUri"] == (
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/transcripts/one.json"
    )
    told = service.transcript()
    assert (told["jobName"], told["accountId"], told["status"]) == ("one", "123456789012", "COMPLETED")
    results = told["results"]
    assert results["transcripts"] == [{"transcript": "Hello world. Good day. Thank you."}]
    labels = results["speaker_labels"]
    assert labels["speakers"] == 2
    assert [one["speaker_label"] for one in labels["segments"]] == ["spk_0", "spk_1", "spk_0"]
    assert [one["alternatives"][0]["content"] for one in results["items"]] == [
        *("Hello", "world", "."),
        *("Good", "day", "."),
        *("Thank", "you", "."),
    ]
    assert [one["id"] for one in results["items"]] == list(range(9))
    assert [one["items"] for one in results["audio_segments"]] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert "start_time" not in results["items"][2], "a full stop has no time"


def test_times_are_texts_of_seconds_and_those_of_the_recording(service: Served) -> None:
    service.done(recording((LOW, "hello world"), (HIGH, "good day")))
    results = service.transcript()["results"]
    spoken = [one for one in results["items"] if one["type"] == "pronunciation"]
    assert float(spoken[0]["start_time"]) == pytest.approx(0.5, abs=0.05)
    times = [float(one[name]) for one in spoken for name in ("start_time", "end_time")]
    assert times == sorted(times)
    first = results["speaker_labels"]["segments"][0]
    assert (first["start_time"], first["end_time"]) == (spoken[0]["start_time"], spoken[1]["end_time"])
    assert [one["start_time"] for one in first["items"]] == [one["start_time"] for one in spoken[:2]]


def test_another_recording_is_another_transcript(service: Served) -> None:
    service.done(recording((LOW, "hello world")))
    first = service.transcript()
    service.done(recording((LOW, "hello stream")), name="two")
    assert service.transcript()["results"]["transcripts"] != first["results"]["transcripts"]


def test_voices_beyond_the_number_that_was_asked_for_count_as_the_last(service: Served) -> None:
    said = [(pitch, "hello") for pitch in PITCHES[:4]]
    service.done(recording(*said), Settings={"ShowSpeakerLabels": True, "MaxSpeakerLabels": 2})
    labels = service.transcript()["results"]["speaker_labels"]
    assert labels["speakers"] == 2
    assert [one["speaker_label"] for one in labels["segments"]] == ["spk_0", "spk_1", "spk_1", "spk_1"]


def test_without_labels_nobody_is_told_apart(service: Served) -> None:
    service.done(recording((LOW, "hello"), (HIGH, "world")), Settings=None)
    results = service.transcript()["results"]
    assert "speaker_labels" not in results
    assert all("speaker_label" not in one for one in (*results["items"], *results["audio_segments"]))


def test_silence_is_a_transcript_without_words(service: Served) -> None:
    ended = service.done(recording((LOW, "")))
    assert ended["TranscriptionJobStatus"] == "COMPLETED"
    results = service.transcript()["results"]
    assert (results["transcripts"], results["items"]) == ([{"transcript": ""}], [])
    assert results["speaker_labels"] == {"segments": [], "channel_label": "ch_0", "speakers": 0}


def test_a_job_runs_from_its_start_and_is_done_when_it_is_asked_for_again(service: Served) -> None:
    started = service.start(media=recording((LOW, "hello")))
    assert (started["TranscriptionJobStatus"], "StartTime" in started) == ("IN_PROGRESS", True)
    service.now[0] += 60
    assert service.get()["TranscriptionJobStatus"] == "IN_PROGRESS"
    ended = service.get()
    assert ended["TranscriptionJobStatus"] == "COMPLETED"
    assert (ended["CompletionTime"] - ended["CreationTime"]).total_seconds() == 60
    assert service.get() == ended
    assert service.account.events == [
        (
            "aws.transcribe",
            "Transcribe Job State Change",
            {"TranscriptionJobName": "one", "TranscriptionJobStatus": "COMPLETED"},
        )
    ]


def test_a_job_that_may_wait_is_queued_first_and_works_with_its_own_role(service: Served) -> None:
    service.account.forbidden = {"s3:GetObject KEY"}
    execution = {"AllowDeferredExecution": True, "DataAccessRoleArn": ROLE}
    started = service.start(media=recording((LOW, "hello")), JobExecutionSettings=execution)
    found = [started, *(service.get() for _ in range(4))]
    states = [one["TranscriptionJobStatus"] for one in found]
    assert states == ["QUEUED", "QUEUED", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    assert ("KEY", "iam:PassRole", ROLE, {"iam:PassedToService": "transcribe.amazonaws.com"}) in service.account.asked


def test_a_role_that_does_not_trust_transcribe_is_refused(service: Served) -> None:
    service.account.trusted = False
    code, message = refusal(service, media=recording((LOW, "hello")), JobExecutionSettings={"DataAccessRoleArn": ROLE})
    assert (code, "does not trust" in message) == ("BadRequestException", True)


def test_a_name_is_taken_once(service: Served) -> None:
    service.start(media=recording((LOW, "hello")))
    code, message = refusal(service)
    assert (code, message) == (
        "ConflictException",
        "The requested job name already exists. Use a different job name.",
    )


def test_a_job_that_nobody_started_is_not_found(service: Served) -> None:
    with pytest.raises(ClientError, match="couldn't be found") as refused:
        service.get("nobody")
    assert refused.value.response["Error"]["Code"] == "BadRequestException", "as seen on AWS, whatever the model says"


def test_transcribe_sees_whether_it_may_write_before_it_takes_a_job(service: Served) -> None:
    service.start(media=recording((LOW, "hello")))
    assert service.account.objects[BUCKET, f"transcripts/{CHECK_FILE}"] == b""
    service.account.forbidden = {f"s3:PutObject transcripts/{CHECK_FILE}"}
    code, message = refusal(service, name="two")
    assert (code, "write permission" in message) == ("BadRequestException", True)


def test_a_recording_that_its_caller_may_not_read_is_refused(service: Served) -> None:
    service.account.forbidden = {"s3:GetObject KEY"}
    code, message = refusal(service, media=recording((LOW, "hello")))
    assert (code, "read permission" in message) == ("BadRequestException", True)


def test_a_recording_of_more_than_2_gigabytes_is_refused(service: Served) -> None:
    service.account.sizes["audio/one.flac"] = MAX_BYTES + 1
    assert refusal(service, media=recording((LOW, "hello"))) == (
        "BadRequestException",
        "The input file that you specified exceeds the maximum size of 2048.00 Mb. Try again with a smaller file.",
    )


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("MAX_SECONDS", 0.5, "Invalid file size: file size too large. Maximum audio duration is"),
        ("MIN_SECONDS", 60, "The input media file length is too small."),
    ],
)
def test_a_recording_that_is_too_long_or_too_short_fails_its_job(
    service: Served, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, reason: str
) -> None:
    monkeypatch.setattr(transcribe_hearing, limit, value)
    ended = service.done(recording((LOW, "hello world")))
    assert ended["TranscriptionJobStatus"] == "FAILED"
    assert ended["FailureReason"].startswith(reason)


@pytest.mark.parametrize(
    ("media", "more", "reason"),
    [
        (b"no sound at all", {}, "Unsupported media format"),
        (b"#EXTM3U\n/etc/hostname\n", {}, "Unsupported media format"),
        (recording((LOW, "hello"), encoding="ogg-opus"), {}, "does not match the detected media format"),
        (recording((LOW, "hello")), {"MediaSampleRateHertz": 8000}, "does not match the detected sample rate"),
    ],
    ids=["no sound", "a list of files", "another format", "another rate"],
)
def test_a_file_that_is_no_such_recording_fails_its_job(
    service: Served, media: bytes, more: dict[str, Any], reason: str
) -> None:
    ended = service.done(media, **more)
    assert ended["TranscriptionJobStatus"] == "FAILED"
    assert reason in ended["FailureReason"]
    assert (BUCKET, "transcripts/one.json") not in service.account.objects


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TranscriptionJobName": "with spaces"}, "must match"),
        ({"TranscriptionJobName": ".."}, "cannot have this name"),
        ({"TranscriptionJobName": "x" * 201}, "wrong length"),
        ({"LanguageCode": "xx-XX"}, "is none of"),
        ({"LanguageCode": None}, "must include one of"),
        ({"MediaFormat": "avi"}, "is none of"),
        ({"Media": {}}, "doesn't point to an S3 object"),
        ({"Media": {"MediaFileUri": "https://example.com/one.flac"}}, "doesn't point to an S3 object"),
        ({"Media": {"MediaFileUri": "file:///etc/passwd"}}, "must match"),
        ({"OutputKey": "with spaces"}, "must match"),
        ({"OutputBucketName": None}, "bucket of its own"),
        ({"Settings": {"ShowSpeakerLabels": True}}, "go together"),
        ({"Settings": {"MaxSpeakerLabels": 2}}, "go together"),
        ({"Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 31}}, "from 2 to 30"),
        ({"Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 1}}, "from 2 to 30"),
        ({"Settings": {"VocabularyName": "v"}}, "the local Transcribe cannot do this"),
        ({"IdentifyLanguage": True}, "the local Transcribe cannot do this"),
        ({"JobExecutionSettings": {"AllowDeferredExecution": True}}, "must include DataAccessRoleArn"),
    ],
)
def test_what_transcribe_does_not_take_is_a_bad_request(
    service: Served, given: dict[str, Any], told: str | None
) -> None:
    service.account.objects[BUCKET, "audio/one.flac"] = b""
    if told is None:
        return  # botocore sends nothing that its model lacks
    name = given.pop("TranscriptionJobName", "one")
    code, message = refusal(service, name=name, **given)
    assert code == "BadRequestException"
    assert told in message


@pytest.mark.parametrize(
    ("key", "written"),
    [(None, "one.json"), ("folder/", "folder/one.json"), ("folder/file.txt", "folder/file.txt")],
)
def test_the_output_is_where_its_key_says(service: Served, key: str | None, written: str) -> None:
    service.done(recording((LOW, "hello")), OutputKey=key)
    assert (BUCKET, written) in service.account.objects


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("transcribe:StartTranscriptionJob", "*"),
        ("transcribe:GetTranscriptionJob", "arn:aws:transcribe:us-east-1:123456789012:transcription-job/one"),
    ],
)
def test_whoever_may_not_is_denied(service: Served, action: str, resource: str) -> None:
    service.account.objects[BUCKET, "audio/one.flac"] = recording((LOW, "hello"))
    service.account.forbidden = {action}
    with pytest.raises(ClientError, match="AccessDenied"):
        service.start() if "Start" in action else service.get()
    assert service.account.asked[-1][:3] == ("KEY", action, resource)
    if "Start" in action:
        assert service.account.asked[-1][3]["transcribe:OutputKey"] == "transcripts/one.json"


def test_jobs_are_listed_by_name_and_status(service: Served) -> None:
    service.done(recording((LOW, "hello")), name="meeting-1")
    service.start("meeting-2")
    service.start("other")

    def names(**given: Any) -> list[str]:
        found = service.client.list_transcription_jobs(**given)["TranscriptionJobSummaries"]
        return [one["TranscriptionJobName"] for one in found]

    assert names() == ["meeting-1", "meeting-2", "other"]
    assert names(JobNameContains="meeting", Status="IN_PROGRESS") == ["meeting-2"]
    first = service.client.list_transcription_jobs(MaxResults=2)
    assert names(NextToken=first["NextToken"], MaxResults=2) == ["other"]


def test_a_throttled_job_starts_when_it_is_tried_again(service: Served) -> None:
    code, _ = refusal(service, media=recording((LOW, "hello throttled")))
    assert code == "LimitExceededException"
    assert service.start()["TranscriptionJobStatus"] == "IN_PROGRESS"
    assert service.get()["TranscriptionJobStatus"] == "IN_PROGRESS"
    assert service.get()["TranscriptionJobStatus"] == "COMPLETED"


def test_a_broken_job_fails_and_says_why(service: Served) -> None:
    ended = service.done(recording((LOW, "hello broken")))
    assert ended["TranscriptionJobStatus"] == "FAILED"
    assert ended["FailureReason"].startswith("Internal failure.")
    assert service.account.events[-1][2]["TranscriptionJobStatus"] == "FAILED"


def test_an_endless_job_never_ends(service: Served) -> None:
    service.start(media=recording((LOW, "hello endless")))
    assert {service.get()["TranscriptionJobStatus"] for _ in range(5)} == {"IN_PROGRESS"}


def test_a_malformed_transcript_breaks_off(service: Served) -> None:
    service.done(recording((LOW, "hello malformed")))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        service.transcript()


def test_every_fault_is_a_word() -> None:
    assert set(Fault) <= set(WORDS)


def test_other_operations_are_not_played(service: Served) -> None:
    with pytest.raises(ClientError, match="is not played here"):
        service.client.list_vocabularies()
