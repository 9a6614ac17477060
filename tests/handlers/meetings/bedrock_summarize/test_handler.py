"""Tests of the summary function through its Lambda handler. The model is scripted."""

import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.bedrock import HAIKU, SONNET, TokenUsage
from handlers.meetings.bedrock_summarize.handler import handler
from handlers.meetings.bedrock_summarize.models import ActionItem, SummaryBusy, SummaryFailed, TranscriptQuote
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS
from tests.handlers.common.fakes import client_error
from tests.handlers.meetings.bedrock_summarize.summary_harness import (
    BOOK_ROOM,
    RECORDING,
    SPOKEN_MEETING,
    Line,
    ScriptedModel,
    ScriptEntry,
    action_item,
    answer_with,
    audio_milliseconds,
    create_turns,
    prompt_lines,
    read_summary,
    read_transcript,
    store_part_transcripts,
)
from tests.handlers.meetings.meeting_harness import BUCKET, CANARY, MeetingHarness

SUMMARIZED, NOTHING_SAID = {"hasSummary": True}, {"hasSummary": False}


@pytest.fixture(autouse=True)
def model(harness: MeetingHarness) -> ScriptedModel:
    """The client of Bedrock that the function gets."""
    model = harness.clients["bedrock-runtime"] = ScriptedModel()
    return model


@pytest.fixture
def event(harness: MeetingHarness) -> dict[str, Any]:
    """The workflow's event for a recording of `SPOKEN_MEETING`, whose transcript is stored."""
    return store_part_transcripts(harness, SPOKEN_MEETING)


def failure_cause(harness: MeetingHarness, event: dict[str, Any], error: type[Exception]) -> str:
    """Call the function, which must raise this error without writing a summary; return the error's message."""
    with pytest.raises(error) as caught:
        handler(event, None)
    assert type(caught.value) is error, "the workflow decides by the name of the class"
    assert caught.value.__context__ is None, "the original error may contain speech"
    assert CANARY not in str(caught.value)
    assert harness.read_object(RECORDING.summary_key) is None
    assert not harness.metric_values
    return str(caught.value)


def test_a_meeting_has_a_transcript_a_summary_and_action_items(harness: MeetingHarness, event: dict[str, Any]) -> None:
    assert handler(event, None) == SUMMARIZED
    said = [(segment.speaker, segment.text) for segment in read_transcript(harness).said]
    assert said == [(turn.speaker, turn.text) for turn in SPOKEN_MEETING]
    stored = harness.s3.head_object(Bucket=BUCKET, Key=RECORDING.summary_key)
    assert stored["ContentType"] == "application/json"
    summary = read_summary(harness)
    assert (summary.summary, summary.summary_model, summary.action_model) == ("They met.", SONNET, SONNET)
    quote = TranscriptQuote(text="Anna will send the report", start_ms=SPOKEN_MEETING[1].start_ms)
    report, room = summary.action_items
    assert report == ActionItem(text="Send the report", owner="Anna", due="by Friday", quote=quote)
    assert (room.owner, room.due) == ("spk_0", None)


def test_an_action_item_is_dropped_if_its_quote_was_not_said(
    harness: MeetingHarness, model: ScriptedModel, event: dict[str, Any]
) -> None:
    model.script = [answer_with(action_item("Bob will send the report"), BOOK_ROOM)]
    handler(event, None)
    assert [item.text for item in read_summary(harness).action_items] == ["Book the room"]
    assert read_summary(harness).dropped == 1


def test_the_token_metrics_are_sent_once_and_include_cached_tokens(
    harness: MeetingHarness, model: ScriptedModel, event: dict[str, Any]
) -> None:
    for _ in range(2):
        assert handler(event, None) == SUMMARIZED
    assert len(model.requests) == 2, "the repeated invocation finds the summary"
    assert harness.metric_values == [(INPUT_TOKENS, 2 * 1_101), (OUTPUT_TOKENS, 20)]
    assert read_summary(harness).tokens == TokenUsage(
        input_tokens=200, output_tokens=20, cache_read_tokens=2_000, cache_write_tokens=2
    )


def test_an_empty_transcript_causes_no_model_request(harness: MeetingHarness, model: ScriptedModel) -> None:
    event = store_part_transcripts(harness, (), ())
    for _ in range(2):
        assert handler(event, None) == NOTHING_SAID
    assert read_transcript(harness).said == ()
    assert not model.requests


@pytest.mark.parametrize("action_model", [SONNET, HAIKU])
def test_the_transcript_is_cached_only_if_one_model_does_both_tasks(
    harness: MeetingHarness, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch, action_model: str
) -> None:
    monkeypatch.setenv("ACTION_MODEL_ID", action_model)
    monkeypatch.setenv("MAX_OUTPUT_TOKENS", "500")
    handler(store_part_transcripts(harness, SPOKEN_MEETING), None)
    one_model = action_model == SONNET
    assert model.tasks == [("sonnet", "summary"), ("sonnet" if one_model else "haiku", "actionItems")]
    assert read_summary(harness).action_model == action_model
    for request in model.requests:
        cached = [block for block in request["messages"][0]["content"] if "cachePoint" in block]
        assert bool(cached) is one_model
    assert model.requests[0]["inferenceConfig"] == {"maxTokens": 500 + 4_000}, "4,000 are for thinking"


@pytest.mark.parametrize(
    ("scripted", "error", "cause"),
    [
        (client_error("ThrottlingException"), SummaryBusy, "ThrottlingException"),
        (ReadTimeoutError(endpoint_url=CANARY), SummaryBusy, "ReadTimeoutError"),
        (client_error("AccessDeniedException"), SummaryFailed, "AccessDeniedException"),
        ("model_context_window_exceeded", SummaryFailed, "too_large"),
        (KeyError(CANARY), SummaryFailed, "KeyError"),
    ],
)
def test_a_busy_model_is_told_from_one_that_refuses(
    harness: MeetingHarness,
    model: ScriptedModel,
    event: dict[str, Any],
    scripted: ScriptEntry,
    error: type[Exception],
    cause: str,
) -> None:
    model.script = [scripted]
    assert failure_cause(harness, event, error) == cause
    model.script = [answer_with()]
    assert handler(event, None) == SUMMARIZED


def test_a_recording_without_the_transcript_of_a_part_fails(harness: MeetingHarness) -> None:
    event = store_part_transcripts(harness, SPOKEN_MEETING, SPOKEN_MEETING)
    harness.s3.delete_object(Bucket=BUCKET, Key=RECORDING.part_transcript_key(1, "en-US"))
    assert failure_cause(harness, event, SummaryFailed) == "part_missing"
    assert harness.read_object(RECORDING.transcript_key) is None, "an incomplete transcript must not be stored"


def test_an_invalid_transcript_of_a_part_fails(harness: MeetingHarness, event: dict[str, Any]) -> None:
    for output, cause in ((CANARY.encode(), "InvalidTranscribeOutput"), (b"\xff", "UnicodeDecodeError")):
        harness.put_object(RECORDING.part_transcript_key(0, "en-US"), output)
        assert failure_cause(harness, event, SummaryFailed) == cause


def test_an_invalid_event_fails(harness: MeetingHarness, event: dict[str, Any]) -> None:
    changes: list[dict[str, Any]] = [{"user": CANARY}, {"meetingId": f"../{CANARY}"}, {"content": None}, {"audio": []}]
    for changed in changes:
        assert failure_cause(harness, {**event, **changed}, SummaryFailed) == "ValidationError"


def test_several_audio_parts_make_one_transcript(harness: MeetingHarness) -> None:
    handler(store_part_transcripts(harness, SPOKEN_MEETING, create_turns(("spk_0", "Anna will call Bob."))), None)
    said = read_transcript(harness).said
    assert [segment.speaker for segment in said] == ["1-spk_0", "1-spk_1", "1-spk_0", "2-spk_0"]
    assert said[-1].start_ms == audio_milliseconds(SPOKEN_MEETING), "the second part begins when the first one ends"


def test_a_long_transcript_is_summarised_in_windows(
    harness: MeetingHarness, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_promises(lines: list[Line]) -> str:
        """Return every promise in the lines as an action item, and name the first and last line in the summary."""
        numbers = [line["said"] for line in lines if "said" in line]
        items = [action_item(f"Anna will do task{number} soon", owner="Anna") for number in reversed(numbers)]
        summaries = [line["text"] for line in lines if "summaryOf" in line]
        return answer_with(*items, summary=" ".join(summaries) or f"{numbers[0]}-{numbers[-1]}")(lines)

    turns = [
        (f"spk_{number % 2}", f"Point {number} has many words to say. Anna will do task{number} soon.")
        for number in range(25)
    ]
    monkeypatch.setenv("PART_CHARACTERS", "1000")
    model.script = [answer_promises]
    handler(store_part_transcripts(harness, create_turns(*turns)), None)
    prompts, summary = [prompt_lines(request) for request in model.requests], read_summary(harness)
    count = prompts[0][-1]["count"]
    assert count == 2
    tasks = [(lines[-1]["task"], lines[-1]["index"]) for lines in prompts]
    windows = [(task, index) for index in range(count) for task in ("summary", "actionItems")]
    assert (sorted(tasks[:-1]), tasks[-1]) == (sorted(windows), ("combine", 0))
    assert prompts[-1][-1]["count"] == 1, "the combined summary is about the whole meeting"
    assert all(sum(len(line.get("text", "")) for line in lines) <= 1_000 for lines in prompts[:-1])
    assert [item.quote.text for item in summary.action_items] == [
        f"Anna will do task{number} soon" for number in range(25)
    ], "each promise is listed once, in the order of the transcript"
    bounds = [window.split("-") for window in summary.summary.split()]
    assert [int(first) for first, _ in bounds] == [0, *(int(last) + 1 for _, last in bounds[:-1])]
    assert summary.tokens.output_tokens == 10 * (2 * count + 1)


def test_logs_contain_no_speech(
    capsys: pytest.CaptureFixture[str], harness: MeetingHarness, model: ScriptedModel
) -> None:
    event = store_part_transcripts(
        harness, create_turns(("spk_canary", "The canary sings. Anna will feed the canary."))
    )
    item = action_item("Anna will feed the canary", text="Feed the canary", owner=CANARY, due=CANARY)
    scripts: list[ScriptEntry] = [client_error("AccessDeniedException"), lambda _: CANARY, "content_filtered"]
    for entry in scripts:
        model.script = [entry]
        with pytest.raises(SummaryFailed):
            handler(event, None)
    model.script = [answer_with(item, action_item(CANARY), {"text": CANARY}, summary=CANARY)]
    assert handler(event, None) == SUMMARIZED
    output = capsys.readouterr()
    logged = [json.loads(line)["message"] for line in output.out.splitlines()]
    assert {"summary_failed", "model_answered", "summary_ready"} == set(logged)
    for secret in (CANARY, RECORDING.meeting.user, RECORDING.meeting.meeting_id, RECORDING.content):
        assert secret not in output.out + output.err
