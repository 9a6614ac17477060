"""The workflow of one recording: where each state leads, by its own expressions, and that nothing waits for ever."""

import json
from collections.abc import Mapping
from typing import Any

import jsonata
import pytest
from statelint.linter import Linter

from components.meetings import processing
from components.settings import MeetingsSettings
from handlers.common import users
from handlers.meetings.media import MediaOutcome
from handlers.meetings.places import MeetingId, Recording
from handlers.meetings.steps import Step, StepOutcome
from handlers.meetings.summary_event import SummaryOutcome, SummaryRequest
from tests.components.meetings.deployment import BUCKET, PREFIX, complete, meetings, plain, states, workflow
from tests.components.subsystem import ACCOUNT
from tests.engine import Recorded

RECORDING = Recording(MeetingId("A" * users.LENGTH, "01KG8Q3V5Z9X7W6T4R2P0N8M6K"), "0a" * 16)
INPUT = {
    "user": RECORDING.meeting.user,
    "meetingId": RECORDING.meeting.meeting_id,
    "content": RECORDING.content,
    "attempt": 2,
}
STEPS = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-steps:live"
GIVEN_UP = {
    "GiveMediaUp": "MEDIA_FAILED",
    "GiveTranscriptionUp": "TRANSCRIPTION_FAILED",
    "GiveSummaryUp": "SUMMARY_FAILED",
}
AUDIO = {"key": RECORDING.audio(1), "offsetMs": 0, "durationMs": 1}
MEDIA = {"outcome": "ready", "audio": [AUDIO], "language": "en-US", "durationMs": 5}


def said(expression: str, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """What an expression comes to, with the variables that Step Functions has."""
    assert expression.startswith("{% ")
    asked = jsonata.Jsonata(expression.removeprefix("{%").removesuffix("%}"))
    asked.register_lambda("parse", json.loads)
    asked.assign("states", {"context": {"Execution": {"Input": INPUT}}, **(context or {})})
    for name, value in variables.items():
        asked.assign(name, value)
    return asked.evaluate(None)


def filled(arguments: Any, context: Mapping[str, Any] | None = None, **variables: Any) -> Any:
    """Arguments with what their expressions come to."""
    if isinstance(arguments, dict):
        return {name: filled(one, context, **variables) for name, one in arguments.items()}
    if isinstance(arguments, list):
        return [filled(one, context, **variables) for one in arguments]
    if isinstance(arguments, str) and arguments.startswith("{%"):
        return said(arguments, context, **variables)
    return arguments


def caught(state: Mapping[str, Any], error: str) -> Mapping[str, Any]:
    """Which Catch takes an error."""
    for one in state["Catch"]:
        if {error, "States.ALL"} & set(one["ErrorEquals"]):
            found: Mapping[str, Any] = one
            return found
    raise AssertionError(f"nothing catches {error}")


def chosen(state: Mapping[str, Any], **variables: Any) -> str:
    """Where a Choice leads."""
    for one in state["Choices"]:
        if said(one["Condition"], **variables):
            return str(one["Next"])
    return str(state["Default"])


def parts(recorded: Recorded | None = None) -> dict[str, Any]:
    """The states for each part of the sound."""
    found: dict[str, Any] = states(recorded or complete())["Transcribe"]["ItemProcessor"]["States"]
    return found


def lost(cause: str) -> str:
    """Where the workflow goes when a job on spare machines failed."""
    catch = caught(states(complete())["Media"], "States.TaskFailed")
    assert catch["Next"] == "MachineLost"
    code = said(catch["Assign"]["exitCode"], {"errorOutput": {"Error": "States.TaskFailed", "Cause": cause}})
    return chosen(states(complete())["MachineLost"], exitCode=code)


@pytest.mark.parametrize("engine", ["batch-spot", "fargate"])
def test_the_definition_passes_the_linter(engine: str) -> None:
    found = workflow(meetings(processing={"engine": engine}))
    assert Linter.validate(found) == []
    assert found["QueryLanguage"] == "JSONata"


def test_all_of_it_is_known_before_anything_exists() -> None:
    assert workflow(plain()) == workflow(complete())


def test_the_job_is_told_which_recording_it_is_about() -> None:
    for name in ("Media", "MediaOnDemand"):
        asked = filled(states(complete())[name]["Arguments"])
        environment = {one["Name"]: one["Value"] for one in asked["ContainerOverrides"]["Environment"]}
        assert environment == {
            "MEETING_USER": RECORDING.meeting.user,
            "MEETING_ID": RECORDING.meeting.meeting_id,
            "CONTENT": RECORDING.content,
        }
        assert asked["JobDefinition"] == f"{PREFIX}-media"
        assert asked["JobName"] == f"media-{RECORDING.content}"
        assert asked["JobQueue"].endswith("-spot" if name == "Media" else "-on-demand")


@pytest.mark.parametrize(
    "cause",
    [
        '{"JobId": "1", "StatusReason": "Your Spot Task was interrupted.", "Container": {}}',
        '{"Container": {"ExitCode": 143}}',
        '{"Container": {"ExitCode": 137}}',
        '{"StatusReason": "Canceled by JobStateTimeLimit action"}',
        "The job was ended before it began.",
        "",
    ],
)
def test_what_lost_its_machine_or_never_had_one_goes_on_on_demand(cause: str) -> None:
    assert lost(cause) == "MediaOnDemand"


@pytest.mark.parametrize("code", [0, 1, 2, 139])
def test_what_a_container_ended_with_by_itself_it_would_end_with_anywhere(code: int) -> None:
    assert lost(json.dumps({"Container": {"ExitCode": code}})) == "GiveMediaUp"


def test_what_waited_too_long_for_a_spare_machine_goes_on_on_demand() -> None:
    assert caught(states(complete())["Media"], "States.Timeout")["Next"] == "MediaOnDemand"


def test_whatever_else_batch_says_is_given_up() -> None:
    for name in ("Media", "MediaOnDemand"):
        assert caught(states(complete())[name], "Batch.ClientException")["Next"] == "GiveMediaUp"
        [retry] = states(complete())[name]["Retry"]
        assert "Batch.TooManyRequestsException" in retry["ErrorEquals"]
    for error in ("States.TaskFailed", "States.Timeout"):
        assert caught(states(complete())["MediaOnDemand"], error)["Next"] == "GiveMediaUp"


def test_on_demand_alone_there_is_nowhere_to_go_back_to() -> None:
    found = states(meetings(processing={"engine": "fargate"}))
    assert not {"MachineLost", "MediaOnDemand"} & set(found)
    for error in ("States.TaskFailed", "States.Timeout"):
        assert caught(found["Media"], error)["Next"] == "GiveMediaUp"


def test_a_job_waits_for_capacity_beside_all_of_its_attempts() -> None:
    changed = {"attempts": 2, "timeoutMinutes": 10, "capacityMinutes": 5}
    found = states(meetings(processing=changed))
    assert found["Media"]["TimeoutSeconds"] == (2 * 10 + 5) * 60
    assert found["MediaOnDemand"]["TimeoutSeconds"] == 10 * 60


@pytest.mark.parametrize("outcome", MediaOutcome)
def test_only_what_has_sound_is_transcribed(outcome: MediaOutcome) -> None:
    to = chosen(states(complete())["AnythingToHear"], media={"outcome": outcome.value})
    assert to == ("Transcribe" if outcome is MediaOutcome.READY else "Done")


@pytest.mark.parametrize("outcome", StepOutcome)
def test_only_what_is_still_wanted_is_summarised(outcome: StepOutcome) -> None:
    to = chosen(states(complete())["StillWanted"], step={"outcome": outcome.value})
    assert to == ("Summarize" if outcome is StepOutcome.GOES_ON else "Done")


def test_each_step_is_told_what_it_reads() -> None:
    variables: dict[str, Any] = {
        "attempts": 3,
        "outcome": "summarized",
        "error": "Batch.ClientException",
        "media": MEDIA,
    }
    found = {}
    for name, state in states(complete()).items():
        if state.get("Arguments", {}).get("FunctionName") == STEPS:
            step = Step.model_validate(filled(state["Arguments"]["Payload"], **variables))
            assert (step.execution.recording, step.execution.attempt) == (RECORDING, 2)
            found[name] = (step.step, step.reason)
    assert found == {
        "ReadMedia": ("media", None),
        "MarkTranscribed": ("transcribed", None),
        "Finish": ("finish", None),
        **{name: ("fail", reason) for name, reason in GIVEN_UP.items()},
    }


def test_every_outcome_of_a_summary_is_one_that_the_last_step_takes() -> None:
    payload = states(complete())["Finish"]["Arguments"]["Payload"]
    for outcome in SummaryOutcome:
        assert Step.model_validate(filled(payload, outcome=outcome.value)).outcome == outcome.value


def test_whoever_summarises_is_told_what_he_reads() -> None:
    media = {**MEDIA, "audio": [{**AUDIO, "key": RECORDING.audio(0)}]}
    payload = filled(states(complete())["Summarize"]["Arguments"]["Payload"], media=media)
    asked = SummaryRequest.model_validate(payload)
    assert asked.recording == RECORDING
    assert [part.key for part in asked.audio] == [RECORDING.audio(0)]


def test_a_busy_model_is_asked_again_and_again_and_one_that_refuses_is_not() -> None:
    state = states(complete())["Summarize"]
    [busy] = [one for one in state["Retry"] if "ModelBusy" in one["ErrorEquals"]]
    assert (busy["MaxAttempts"], busy["MaxDelaySeconds"], busy["JitterStrategy"]) == (8, 600, "FULL")
    again = {error for one in state["Retry"] for error in one["ErrorEquals"]}
    assert not again & {"ModelRefused", "SummaryUnusable", "States.ALL", "States.TaskFailed"}
    for error in ("ModelBusy", "ModelRefused", "SummaryUnusable", "States.Timeout"):
        assert caught(state, error)["Next"] == "GiveSummaryUp"
    assert state["TimeoutSeconds"] > 900, "the function ends first, and says why"


def test_the_failure_of_each_part_of_the_way_has_a_reason_of_its_own() -> None:
    to = {
        "ReadMedia": "GiveMediaUp",
        "Transcribe": "GiveTranscriptionUp",
        "MarkTranscribed": "GiveTranscriptionUp",
        "Summarize": "GiveSummaryUp",
        "Finish": "GiveSummaryUp",
        **dict.fromkeys(GIVEN_UP, "Failed"),
    }
    found = states(complete())
    assert {name: caught(found[name], "Anything")["Next"] for name in to} == to
    assert {found[name]["Next"] for name in GIVEN_UP} == {"Failed"}
    assert found["Failed"]["Type"] == "Fail", "or the execution would count as done"


def test_no_failure_carries_more_than_the_name_of_its_error() -> None:
    for scope in (states(complete()), parts()):
        for state in scope.values():
            for one in state.get("Catch", ()):
                kept = {name: text for name, text in one.get("Assign", {}).items() if name not in {"part", "tries"}}
                assert set(kept) <= {"error", "exitCode"}
                assert kept.get("error", "{% $states.errorOutput.Error %}") == "{% $states.errorOutput.Error %}"


def test_a_part_of_the_sound_is_transcribed_to_where_it_is_read() -> None:
    context = {"context": {"Execution": {"Input": INPUT}, "Map": {"Item": {"Index": 1}}}, "input": AUDIO}
    asked = filled(parts()["StartPart"]["Arguments"], context, media=MEDIA)
    assert asked == {
        "TranscriptionJobName": f"polyphony-test-{INPUT['meetingId']}-{RECORDING.content}-001",
        "LanguageCode": "en-US",
        "MediaFormat": "flac",
        "Media": {"MediaFileUri": f"s3://{BUCKET}/{RECORDING.audio(1)}"},
        "OutputBucketName": BUCKET,
        "OutputKey": RECORDING.part_transcript(1),
        "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
    }
    assert len(asked["TranscriptionJobName"]) <= 200
    remembered = filled(parts()["StartPart"]["Assign"], context)
    again = filled(parts()["AskForPart"]["Arguments"], **remembered)
    assert again == {"TranscriptionJobName": asked["TranscriptionJobName"]}


def test_a_transcription_that_was_begun_already_is_waited_for() -> None:
    start = parts()["StartPart"]
    conflict = caught(start, "Transcribe.ConflictException")
    assert (
        (conflict["Next"], conflict["Assign"]) == (start["Next"], start["Assign"]) == ("WaitForPart", start["Assign"])
    )
    assert len(start["Catch"]) == 1, "any other failure is the map's"


@pytest.mark.parametrize(
    ("status", "tries", "to"),
    [
        ("COMPLETED", 480, "PartTranscribed"),
        ("FAILED", 1, "PartFailed"),
        ("IN_PROGRESS", 479, "WaitForPart"),
        ("QUEUED", 1, "WaitForPart"),
        ("IN_PROGRESS", 480, "PartTooLate"),
        ("SOMETHING_NEW", 480, "PartTooLate"),
    ],
)
def test_a_part_is_asked_for_until_it_is_done_and_not_for_ever(status: str, tries: int, to: str) -> None:
    assert chosen(parts()["PartDone"], status=status, tries=tries) == to


def test_each_round_counts() -> None:
    assert parts()["WaitForPart"] == {"Type": "Wait", "Seconds": 30, "Next": "AskForPart"}
    job = {"result": {"TranscriptionJob": {"TranscriptionJobStatus": "IN_PROGRESS"}}}
    told = filled(parts()["AskForPart"]["Assign"], job, tries=4)
    assert told == {"status": "IN_PROGRESS", "tries": 5}
    assert {parts()[name]["Type"] for name in ("PartFailed", "PartTooLate")} == {"Fail"}


@pytest.mark.parametrize(("seconds", "minutes", "tries"), [(60, 10, 10), (60, 5, 5), (7, 5, 43), (600, 5, 1)])
def test_how_long_and_how_often_is_a_setting(seconds: int, minutes: int, tries: int) -> None:
    found = parts(meetings(speech={"pollSeconds": seconds, "maxMinutes": minutes}))
    assert found["WaitForPart"]["Seconds"] == seconds
    assert chosen(found["PartDone"], status="IN_PROGRESS", tries=tries) == "PartTooLate"
    assert chosen(found["PartDone"], status="IN_PROGRESS", tries=tries - 1) == "WaitForPart"


def test_some_parts_at_once_and_speakers_are_told_apart() -> None:
    found = meetings(speech={"atOnce": 7, "maxSpeakers": 4})
    assert states(found)["Transcribe"]["MaxConcurrency"] == 7
    assert states(found)["Transcribe"]["Items"] == "{% $media.audio %}"
    assert parts(found)["StartPart"]["Arguments"]["Settings"]["MaxSpeakerLabels"] == 4


def test_a_service_that_has_much_to_do_is_asked_again() -> None:
    for name in ("StartPart", "AskForPart"):
        [retry] = parts()[name]["Retry"]
        assert {"Transcribe.LimitExceededException", "Transcribe.InternalFailureException"} <= set(retry["ErrorEquals"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"processing": {"engine": "fargate"}},
        {"processing": {"attempts": 10, "timeoutMinutes": 1_440, "capacityMinutes": 720}},
        {"processing": {"maxHours": 24}, "speech": {"partSeconds": 600, "atOnce": 1}},
    ],
)
def test_the_whole_ends_later_than_all_that_it_waits_for(changes: dict[str, Any]) -> None:
    found = meetings(**changes)
    settings = MeetingsSettings.model_validate(changes)
    waits = sum(states(found)[name]["TimeoutSeconds"] for name in ("Media", "MediaOnDemand") if name in states(found))
    waits += settings.speech.max_minutes * 60 + states(found)["Summarize"]["TimeoutSeconds"]
    assert waits < workflow(found)["TimeoutSeconds"] == processing.longest_seconds(settings)
    assert workflow(found)["TimeoutSeconds"] < 365 * 24 * 3600, "an execution of Step Functions lasts a year at most"
