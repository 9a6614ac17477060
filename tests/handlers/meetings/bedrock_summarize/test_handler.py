"""Tests of the summary function through its Lambda handler. The model is scripted."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.bedrock import HAIKU, SONNET, TokenUsage
from handlers.meetings.bedrock_summarize.handler import handler
from handlers.meetings.bedrock_summarize.models import ActionItem, TranscriptQuote
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS
from handlers.meetings.summary_errors import SummaryBusy, SummaryFailed
from tests.handlers.meetings.bedrock_summarize.summary_harness import (
    BOOK_ROOM,
    RECORDING,
    SEND_REPORT,
    SPOKEN_MEETING,
    Line,
    ScriptEntry,
    SummaryHarness,
    action_item,
    answer_with,
    client_error,
    create_summary_harness,
    prompt_lines,
)
from tests.handlers.meetings.sample_transcripts import Turn, create_turns, transcribe_output

CANARY = "canary"
SUMMARIZED, NOTHING_SAID = {"outcome": "summarized"}, {"outcome": "nothing_said"}
HarnessFactory = Callable[..., AbstractContextManager[SummaryHarness]]


@pytest.fixture
def create_harness(monkeypatch: pytest.MonkeyPatch) -> HarnessFactory:
    return partial(create_summary_harness, monkeypatch)


@pytest.fixture
def harness(create_harness: HarnessFactory) -> Iterator[SummaryHarness]:
    with create_harness() as created:
        yield created


@pytest.fixture
def event(harness: SummaryHarness) -> dict[str, Any]:
    """The workflow's event for a recording of `SPOKEN_MEETING`, whose transcript is stored."""
    return harness.store_part_transcripts(SPOKEN_MEETING)


def failure_cause(harness: SummaryHarness, event: dict[str, Any], error: type[Exception]) -> str:
    """Call the function, which must raise this error without writing a summary; return the error's message."""
    with pytest.raises(error) as caught:
        handler(event, None)
    assert type(caught.value) is error, "the workflow decides by the name of the class"
    assert caught.value.__context__ is None, "the original error may contain speech"
    assert CANARY not in str(caught.value)
    assert harness.read(RECORDING.summary_key) is None
    assert not harness.metrics.sent
    return str(caught.value)


def test_a_meeting_has_a_transcript_a_summary_and_action_items(harness: SummaryHarness, event: dict[str, Any]) -> None:
    assert handler(event, None) == SUMMARIZED
    assert [segment.text for segment in harness.transcript.said] == [turn.text for turn in SPOKEN_MEETING]
    stored = harness.s3.head_object(Bucket="recordings", Key=RECORDING.summary_key)
    assert stored["ContentType"] == "application/json"
    summary = harness.summary
    assert (summary.summary, summary.summary_model, summary.action_model) == ("They met.", SONNET, SONNET)
    quote = TranscriptQuote(text="Anna will send the report", start_ms=SPOKEN_MEETING[1].start_ms)
    report, room = summary.action_items
    assert report == ActionItem(text="Send the report", owner="Anna", due="by Friday", quote=quote)
    assert (room.owner, room.due) == ("spk_0", None)


def test_an_action_item_is_dropped_if_its_quote_was_not_said(harness: SummaryHarness, event: dict[str, Any]) -> None:
    harness.model.script = [answer_with(action_item("Bob will send the report"), BOOK_ROOM)]
    handler(event, None)
    assert [item.text for item in harness.summary.action_items] == ["Book the room"]
    assert harness.summary.dropped == 1


def test_the_token_metrics_are_sent_once_and_include_cached_tokens(
    harness: SummaryHarness, event: dict[str, Any]
) -> None:
    for _ in range(2):
        assert handler(event, None) == SUMMARIZED
    assert len(harness.model.requests) == 2, "the repeated invocation finds the summary"
    assert harness.metrics.sent == [(INPUT_TOKENS, 2 * 1_101), (OUTPUT_TOKENS, 20)]
    assert harness.summary.tokens == TokenUsage(
        input_tokens=200, output_tokens=20, cache_read_tokens=2_000, cache_write_tokens=2
    )


def test_of_two_concurrent_invocations_the_quicker_one_writes_the_summary(
    harness: SummaryHarness, event: dict[str, Any]
) -> None:
    def answer_after_quicker_invocation(lines: list[Line]) -> str:
        harness.model.script = [answer_with(summary="Quicker.")]
        handler(event, None)
        return answer_with(summary="Slower.")(lines)

    harness.model.script = [answer_after_quicker_invocation, answer_with()]
    assert handler(event, None) == SUMMARIZED
    assert harness.summary.summary == "Quicker."
    assert len(harness.metrics.sent) == 2


def test_an_empty_transcript_causes_no_model_request(harness: SummaryHarness) -> None:
    event = harness.store_part_transcripts((), ())
    for _ in range(2):
        assert handler(event, None) == NOTHING_SAID
    assert harness.transcript.said == ()
    assert not harness.model.requests


@pytest.mark.parametrize("action_model", [SONNET, HAIKU])
def test_the_transcript_is_cached_only_if_one_model_does_both_tasks(
    create_harness: HarnessFactory, action_model: str
) -> None:
    with create_harness(ACTION_MODEL_ID=action_model, MAX_OUTPUT_TOKENS="500") as harness:
        handler(harness.store_part_transcripts(SPOKEN_MEETING), None)
        one_model = action_model == SONNET
        assert harness.model.tasks == [("sonnet", "summary"), ("sonnet" if one_model else "haiku", "actionItems")]
        assert harness.summary.action_model == action_model
        for request in harness.model.requests:
            cached = [block for block in request["messages"][0]["content"] if "cachePoint" in block]
            assert bool(cached) is one_model
        assert harness.model.requests[0]["inferenceConfig"] == {"maxTokens": 500 + 4_000}, "4,000 are for thinking"


def test_after_an_unusable_answer_the_question_is_repeated_once(harness: SummaryHarness, event: dict[str, Any]) -> None:
    harness.model.script = [lambda _: CANARY]
    assert failure_cause(harness, event, SummaryFailed) == "unusable_answer"
    assert len(harness.model.requests) == 2
    harness.model.script = [lambda _: CANARY, answer_with(SEND_REPORT, {"text": 7})]
    assert handler(event, None) == SUMMARIZED
    assert len(harness.summary.action_items) == 1, "a malformed item does not cost the others"
    assert harness.summary.tokens.output_tokens == 30, "the unusable answer was billed too"


@pytest.mark.parametrize(
    ("scripted", "error", "cause"),
    [
        (client_error("ThrottlingException"), SummaryBusy, "throttled"),
        (ReadTimeoutError(endpoint_url=CANARY), SummaryBusy, "timed_out"),
        (client_error("AccessDeniedException"), SummaryFailed, "refused"),
        ("model_context_window_exceeded", SummaryFailed, "too_large"),
        (KeyError(CANARY), SummaryFailed, "KeyError"),
    ],
)
def test_a_busy_model_is_told_from_one_that_refuses(
    harness: SummaryHarness, event: dict[str, Any], scripted: ScriptEntry, error: type[Exception], cause: str
) -> None:
    harness.model.script = [scripted]
    assert failure_cause(harness, event, error) == cause
    harness.model.script = [answer_with()]
    harness.s3.delete_object(Bucket="recordings", Key=RECORDING.part_transcript_key(0, "en-US"))
    assert handler(event, None) == SUMMARIZED, "the stored transcript suffices"


def test_a_failure_of_s3_is_retried_by_the_workflow(
    harness: SummaryHarness, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise client_error("AccessDenied", "AnyOperation")

    for operation in ("get_object", "put_object", "get_paginator"):
        with monkeypatch.context() as patch:
            patch.setattr(harness.s3, operation, refuse)
            with pytest.raises(SummaryBusy, match=r"^refused$"):
                handler(event, None)
    assert handler(event, None) == SUMMARIZED


def test_a_recording_without_the_transcript_of_a_part_fails(harness: SummaryHarness) -> None:
    event = harness.store_part_transcripts(SPOKEN_MEETING, SPOKEN_MEETING)
    harness.s3.delete_object(Bucket="recordings", Key=RECORDING.part_transcript_key(1, "en-US"))
    assert failure_cause(harness, event, SummaryFailed) == "part_missing"
    assert harness.read(RECORDING.transcript_key) is None, "an incomplete transcript must not be stored"


def test_an_invalid_transcript_of_a_part_fails(harness: SummaryHarness, event: dict[str, Any]) -> None:
    late_words = transcribe_output([Turn("spk_0", 600_000, "Much later.")])
    for output, cause in (
        (CANARY.encode(), "malformed"),
        (b"\xff", "UnicodeDecodeError"),
        (late_words, "bad_times"),
    ):
        harness.put(RECORDING.part_transcript_key(0, "en-US"), output)
        assert failure_cause(harness, event, SummaryFailed) == cause


def test_an_invalid_event_fails(harness: SummaryHarness, event: dict[str, Any]) -> None:
    """The function must read only the audio of the event's own recording."""
    other_audio = {"key": f"audio/{CANARY}/000.flac", "offsetMs": 0, "durationMs": 1}
    audio = [{"key": RECORDING.audio_key(number), "offsetMs": 0, "durationMs": 1} for number in range(2)]
    for changed in ({"user": CANARY}, {"content": None}, {"audio": [other_audio]}, {"audio": audio}):
        assert failure_cause(harness, {**event, **changed}, SummaryFailed) == "ValidationError"


def test_several_audio_parts_make_one_transcript(harness: SummaryHarness) -> None:
    handler(harness.store_part_transcripts(SPOKEN_MEETING, create_turns(("spk_0", "Anna will call Bob."))), None)
    assert [segment.speaker for segment in harness.transcript.said] == ["1-spk_0", "1-spk_1", "1-spk_0", "2-spk_0"]


def test_a_long_transcript_is_summarised_in_windows(create_harness: HarnessFactory) -> None:
    def answer_promises(lines: list[Line]) -> str:
        """Return every promise in the lines as an action item, and name the first and last line in the summary."""
        numbers = [line["said"] for line in lines if "said" in line]
        items = [action_item(f"Anna will do task{number} soon", owner="Anna") for number in reversed(numbers)]
        summaries = [line["text"] for line in lines if "summaryOf" in line]
        return answer_with(*items, summary=" ".join(summaries) or f"{numbers[0]}-{numbers[-1]}")(lines)

    turns = [
        (f"spk_{number % 2}", f"Point {number} has many words to say. Anna will do task{number} soon.")
        for number in range(60)
    ]
    with create_harness(PART_CHARACTERS="1000") as harness:
        harness.model.script = [answer_promises]
        handler(harness.store_part_transcripts(create_turns(*turns)), None)
        prompts = [prompt_lines(request) for request in harness.model.requests]
        summary = harness.summary
    count = prompts[0][-1]["count"]
    assert count > 3
    tasks = [(lines[-1]["task"], lines[-1]["index"]) for lines in prompts]
    windows = [(task, index) for index in range(count) for task in ("summary", "actionItems")]
    assert (sorted(tasks[:-1]), tasks[-1]) == (sorted(windows), ("combine", 0))
    assert all(sum(len(line.get("text", "")) for line in lines) <= 1_000 for lines in prompts[:-1])
    assert [item.quote.text for item in summary.action_items] == [
        f"Anna will do task{number} soon" for number in range(60)
    ], "each promise is listed once, in the order of the transcript"
    bounds = [window.split("-") for window in summary.summary.split()]
    assert [int(first) for first, _ in bounds] == [0, *(int(last) + 1 for _, last in bounds[:-1])]
    assert summary.tokens.output_tokens == 10 * (2 * count + 1)


def test_the_summaries_of_two_windows_are_combined(create_harness: HarnessFactory) -> None:
    with create_harness(PART_CHARACTERS="1000") as harness:
        handler(harness.store_part_transcripts(create_turns(("spk_0", "word " * 150), ("spk_1", "word " * 150))), None)
        tasks = [task for _, task in harness.model.tasks]
    assert sorted(tasks) == ["actionItems", "actionItems", "combine", "summary", "summary"]


def test_logs_contain_no_speech(capsys: pytest.CaptureFixture[str], harness: SummaryHarness) -> None:
    event = harness.store_part_transcripts(create_turns(("spk_canary", "The canary sings. Anna will feed the canary.")))
    item = action_item("Anna will feed the canary", text="Feed the canary", owner=CANARY, due=CANARY)
    scripts: list[ScriptEntry] = [client_error("AccessDeniedException"), lambda _: CANARY, "content_filtered"]
    for entry in scripts:
        harness.model.script = [entry]
        with pytest.raises(SummaryFailed):
            handler(event, None)
    harness.model.script = [answer_with(item, action_item(CANARY), {"text": CANARY}, summary=CANARY)]
    assert handler(event, None) == SUMMARIZED
    output = capsys.readouterr()
    logged = [json.loads(line)["message"] for line in output.out.splitlines()]
    assert {"summary_failed", "model_answered", "summary_ready"} == set(logged)
    for secret in (CANARY, RECORDING.meeting.user, RECORDING.meeting.meeting_id, RECORDING.content):
        assert secret not in output.out + output.err
