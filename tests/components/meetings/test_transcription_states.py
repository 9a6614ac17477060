"""How the sound of a recording is transcribed: by whom each part is begun, how often it is asked about, and until when."""

from typing import Any

import pytest

from components.settings.polling import rounds
from local.emulation.step_functions.parameter_names import error_name, to_pascal_case
from local.platform.drivers.service_shapes import service_model
from tests.components.meetings.recorded_deployment import BUCKET, changed, complete, meetings, states
from tests.components.meetings.state_machine_runner import INPUT, RECORDING, caught, chosen, filled
from tests.fake_engine import Recorded

AUDIO = {"key": RECORDING.audio(1), "offsetMs": 0, "durationMs": 1}
MEDIA = {"outcome": "ready", "audio": [AUDIO], "language": "en-US", "durationMs": 5}


ITEM = {"Map": {"Item": {"Index": 0}}}
JOB = {"result": {"TranscriptionJob": {"TranscriptionJobStatus": "IN_PROGRESS"}}}


def parts(recorded: Recorded | None = None) -> dict[str, Any]:
    """The states for each part of the sound."""
    found: dict[str, Any] = states(recorded or complete())["Transcribe"]["ItemProcessor"]["States"]
    return found


def attempts(name: str, error: str) -> int:
    """How often a state is tried again after an error."""
    found = [one for one in parts()[name]["Retry"] if error in one["ErrorEquals"]]
    return found[0]["MaxAttempts"] if found else 0


def test_a_part_of_the_sound_is_transcribed_to_where_it_is_read() -> None:
    context = {"context": {"Execution": {"Input": INPUT}, "Map": {"Item": {"Index": 1}}}, "input": AUDIO}
    user = RECORDING.meeting.user
    asked = filled(parts()["StartPart"]["Arguments"], context, media=MEDIA)
    assert asked == {
        "TranscriptionJobName": f"polyphony-test-{user}-{INPUT['meetingId']}-{RECORDING.content}-2-001",
        "LanguageCode": "en-US",
        "MediaFormat": "flac",
        "Media": {"MediaFileUri": f"s3://{BUCKET}/{RECORDING.audio(1)}"},
        "OutputBucketName": BUCKET,
        "OutputKey": RECORDING.part_transcript(1, "en-US"),
        "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
    }
    assert len(asked["TranscriptionJobName"]) <= 200
    remembered = filled(parts()["StartPart"]["Assign"], context)
    again = filled(parts()["AskForPart"]["Arguments"], **remembered)
    assert again == {"TranscriptionJobName": asked["TranscriptionJobName"]}


def test_each_attempt_at_a_meeting_has_a_job_of_its_own() -> None:
    names = []
    for attempt in (1, 1, 2):
        context = {"context": {"Execution": {"Input": {**INPUT, "attempt": attempt}}, "Map": {"Item": {"Index": 0}}}}
        names.append(filled(parts()["StartPart"]["Arguments"]["TranscriptionJobName"], context))
    assert names[0] == names[1] != names[2], "or one that has failed would be found failed for months"


@pytest.mark.parametrize(("there", "to"), [(True, "PartTranscribed"), (False, "StartPart")])
def test_a_part_that_has_its_transcript_is_not_begun(there: bool, to: str) -> None:
    found = states(complete())["Transcribe"]["ItemProcessor"]
    assert found["StartAt"] == "PartThere"
    assert chosen(found["States"]["PartThere"], {"input": {**AUDIO, "transcribed": there}}) == to


def test_a_job_whose_beginning_was_not_answered_is_waited_for() -> None:
    start = parts()["StartPart"]
    conflict = caught(start, "Transcribe.ConflictException")
    assert (
        (conflict["Next"], conflict["Assign"]) == (start["Next"], start["Assign"]) == ("WaitForPart", start["Assign"])
    )
    assert len(start["Catch"]) == 1, "any other failure is the map's"


@pytest.mark.parametrize(
    ("status", "spent", "to"),
    [
        ("COMPLETED", 14_400, "PartTranscribed"),
        ("FAILED", 30, "PartFailed"),
        ("IN_PROGRESS", 14_399, "WaitForPart"),
        ("QUEUED", 30, "WaitForPart"),
        ("IN_PROGRESS", 14_400, "PartTooLate"),
        ("SOMETHING_NEW", 14_400, "PartTooLate"),
    ],
)
def test_a_part_is_asked_for_until_it_is_done_and_not_for_ever(status: str, spent: int, to: str) -> None:
    assert chosen(parts()["PartDone"], status=status, spent=spent) == to
    assert {parts()[name]["Type"] for name in ("PartFailed", "PartTooLate")} == {"Fail"}


@pytest.mark.parametrize(("poll", "minutes"), [(30, 240), (60, 10), (7, 5), (600, 5), (5, 1_440)])
def test_how_long_and_how_often_is_a_setting(poll: int, minutes: int) -> None:
    found = parts(meetings(processing={"pollSeconds": poll}, speech={"maxMinutes": minutes}))
    variables = filled(found["StartPart"]["Assign"], {"context": {"Execution": {"Input": INPUT}, **ITEM}})
    pauses, at = [], "WaitForPart"
    while at == "WaitForPart":
        pauses.append(filled(found["WaitForPart"]["Seconds"], **variables))
        variables |= filled(found["AskForPart"]["Assign"], JOB, **variables)
        at = chosen(found["PartDone"], **variables)
    assert at == "PartTooLate"
    assert len(pauses) == rounds(minutes * 60, poll)
    assert pauses == sorted(pauses)
    assert pauses[0] == poll
    assert sum(pauses[:-1]) < minutes * 60 <= sum(pauses) <= max(1.06 * minutes * 60, minutes * 60 + poll)


def test_some_parts_at_once_and_speakers_are_told_apart() -> None:
    found = changed()
    assert states(found)["Transcribe"]["MaxConcurrency"] == 8
    assert states(found)["Transcribe"]["Items"] == "{% $media.audio %}"


@pytest.mark.parametrize("name", ["StartPart", "AskForPart"])
@pytest.mark.parametrize(
    "code", ["LimitExceededException", "InternalFailureException", "ThrottlingException", "ServiceUnavailable"]
)
def test_a_service_that_has_much_to_do_is_asked_again(name: str, code: str) -> None:
    operation = to_pascal_case(parts()[name]["Resource"].rpartition(":")[2])
    assert attempts(name, error_name(service_model("transcribe").operation_model(operation), code)) >= 5


@pytest.mark.parametrize("name", ["StartPart", "AskForPart"])
@pytest.mark.parametrize("error", ["Transcribe.SdkClientException", "States.Timeout"])
def test_a_question_that_is_interrupted_is_asked_again(name: str, error: str) -> None:
    """One whose answer was lost is found begun, by its name."""
    assert attempts(name, error) >= 5


def test_what_a_part_may_not_be_begun_for_is_known_within_minutes() -> None:
    """A call that is denied has the name of one that is throttled."""
    [retry] = [one for one in parts()["StartPart"]["Retry"] if "Transcribe.TranscribeException" in one["ErrorEquals"]]
    pauses = [retry["IntervalSeconds"] * retry["BackoffRate"] ** at for at in range(retry["MaxAttempts"])]
    assert sum(pauses) <= 600
    assert attempts("StartPart", "Transcribe.BadRequestException") == 0
