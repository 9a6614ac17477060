"""Tests of the summariser: it stores answers of the model, so that none is paid for twice, and it logs no speech."""

import json
from typing import Any

import pytest

from handlers.common.aws import ServiceFault
from handlers.meetings.bedrock_summarize.stored_summary_models import ActionItem, SummaryTokens, TranscriptQuote
from handlers.meetings.bedrock_summarize.workflow_event import SummaryOutcome, SummaryRequest
from handlers.meetings.metrics import INPUT_TOKENS, OUTPUT_TOKENS
from handlers.meetings.summary_errors import (
    ModelBusy,
    ModelRefused,
    StorageFailed,
    SummaryFailed,
    SummaryUnusable,
    TranscriptMissing,
    TranscriptUnreadable,
)
from tests.handlers.meetings.bedrock_summarize.summary_harness import (
    ANSWER_SECONDS,
    HAIKU,
    RECORDING,
    REMAINING_MS,
    SEND_REPORT,
    SONNET,
    SPOKEN_MEETING,
    AnswerFunction,
    Line,
    MemoryBucket,
    ScriptedModel,
    ScriptEntry,
    SummaryHarness,
    action_item,
    answer_with,
    prompt_lines,
)
from tests.handlers.meetings.sample_transcripts import Turn, create_turns, transcribe_output

CANARY = "canary"


@pytest.fixture
def harness() -> SummaryHarness:
    return SummaryHarness()


@pytest.fixture
def summary_request(harness: SummaryHarness) -> SummaryRequest:
    """The workflow's event for a recording of `SPOKEN_MEETING`, whose transcript is stored."""
    return harness.store_part_transcripts(SPOKEN_MEETING)


def failure_cause(harness: SummaryHarness, request: SummaryRequest, error: type[SummaryFailed], **changed: Any) -> str:
    """Call the summariser, which must raise this error without writing a summary; return the error's message."""
    with pytest.raises(error) as caught:
        harness.summarize(request, **changed)
    assert type(caught.value) is error, "the workflow decides by the name of the class"
    assert caught.value.__context__ is None, "the original error may contain speech"
    assert CANARY not in str(caught.value)
    assert RECORDING.summary_key not in harness.bucket.objects
    return str(caught.value)


def test_a_meeting_has_a_transcript_a_summary_and_action_items(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    result = harness.summarize(summary_request)
    assert result.outcome is SummaryOutcome.SUMMARIZED
    assert (result.transcript_key, result.summary_key) == (RECORDING.transcript_key, RECORDING.summary_key)
    assert (result.action_items, result.dropped) == (2, 0)
    assert result.made, "this call, and no earlier one, has made the summary"
    assert [segment.text for segment in harness.transcript.said] == [turn.text for turn in SPOKEN_MEETING]
    assert harness.summary.summary == "They met."
    report, room = harness.summary.action_items
    quote = TranscriptQuote(text="Anna will send the report by Friday", start_ms=SPOKEN_MEETING[1].start_ms)
    assert report == ActionItem(text="Send the report", owner="Anna", due="by Friday", quote=quote)
    assert (room.owner, room.due) == ("spk_0", None)
    assert (harness.summary.summary_model, harness.summary.action_model) == (SONNET, SONNET)


def test_a_repeated_call_returns_the_stored_summary_without_model_requests(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    first_result = harness.summarize(summary_request)
    stored_objects = dict(harness.bucket.objects)
    changes: list[dict[str, Any]] = [{}, {"action_model": HAIKU}]
    for changed in changes:
        assert harness.summarize(summary_request, **changed) == first_result.model_copy(update={"made": False})
    assert (len(harness.sonnet.requests), len(harness.metrics.sent), harness.bucket.objects) == (2, 2, stored_objects)
    assert not harness.haiku.requests, "after a change of the model setting, the stored summary is still returned"


def test_an_empty_transcript_causes_no_model_request(harness: SummaryHarness) -> None:
    summary_request = harness.store_part_transcripts((), ())
    for _ in range(2):
        result = harness.summarize(summary_request)
        assert (result.outcome, result.summary_key) == (SummaryOutcome.NOTHING_SAID, None)
        assert harness.transcript.said == ()
    assert not harness.sonnet.requests
    assert not harness.metrics.sent


def test_the_token_metrics_are_sent_once_and_include_cached_tokens(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    result = harness.summarize(summary_request)
    assert [(metric.name, metric.value, metric.user) for metric in harness.metrics.sent] == [
        (INPUT_TOKENS, 2 * 1_101, None),
        (OUTPUT_TOKENS, 20, None),
    ]
    tokens = SummaryTokens(input_tokens=200, output_tokens=20, cache_read_tokens=2_000, cache_write_tokens=2)
    assert harness.summary.tokens == tokens
    assert SummaryTokens.model_validate(result.model_dump()) == tokens


def test_two_models_each_do_one_task(harness: SummaryHarness, summary_request: SummaryRequest) -> None:
    harness.summarize(summary_request, action_model=HAIKU)
    assert (harness.sonnet.tasks, harness.haiku.tasks) == (["summary"], ["actionItems"])
    assert harness.summary.action_model == HAIKU


@pytest.mark.parametrize("invalid_answer", [answer_with([SEND_REPORT], part="77ab01c2d3e4"), lambda _: CANARY])
def test_after_an_invalid_answer_the_question_is_repeated_once(
    harness: SummaryHarness, summary_request: SummaryRequest, invalid_answer: AnswerFunction
) -> None:
    harness.sonnet = ScriptedModel([invalid_answer, answer_with([SEND_REPORT])])
    assert harness.summarize(summary_request).action_items == 1
    assert harness.sonnet.tasks == ["summary", "summary", "actionItems"]
    assert harness.summary.tokens.output_tokens == 30, "the invalid answer was billed too"

    failing_harness = SummaryHarness(sonnet=ScriptedModel([invalid_answer]))
    failing_request = failing_harness.store_part_transcripts(SPOKEN_MEETING)
    assert failure_cause(failing_harness, failing_request, SummaryUnusable) == "unusable_answer"
    assert len(failing_harness.sonnet.requests) == 2


def test_malformed_items_of_a_repeated_question_are_skipped_also_when_its_stored_answer_is_read(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    harness.sonnet = ScriptedModel([answer_with(), answer_with([{"text": 7}, SEND_REPORT])])
    harness.bucket.failing_prefix = "summaries/"
    failure_cause(harness, summary_request, StorageFailed)
    harness.bucket.failing_prefix = None
    assert harness.summarize(summary_request).action_items == 1
    assert len(harness.sonnet.requests) == 3, "the stored answer is accepted, although one item is malformed"


@pytest.mark.parametrize("fault", [ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE])
def test_requests_to_a_busy_model_are_repeated_for_a_limited_time(
    harness: SummaryHarness, summary_request: SummaryRequest, fault: ServiceFault
) -> None:
    harness.sonnet = ScriptedModel([fault, fault, answer_with([SEND_REPORT])])
    assert harness.summarize(summary_request).made
    assert harness.waits == [0.5, 1.0]

    failing_harness = SummaryHarness(sonnet=ScriptedModel([fault]))
    failing_request = failing_harness.store_part_transcripts(SPOKEN_MEETING)
    assert failure_cause(failing_harness, failing_request, ModelBusy) == fault.value
    assert 30 < sum(failing_harness.waits) < REMAINING_MS / 1000 / 3, (
        "the workflow can wait for longer, and pays for no function while it waits"
    )


def test_a_timed_out_request_is_repeated_once(harness: SummaryHarness, summary_request: SummaryRequest) -> None:
    harness.sonnet = ScriptedModel([ServiceFault.TIMED_OUT])
    assert failure_cause(harness, summary_request, ModelBusy) == "timed_out"
    assert len(harness.sonnet.requests) == 2, "a timed-out request may be billed"
    harness.sonnet = ScriptedModel([ServiceFault.TIMED_OUT, answer_with([SEND_REPORT])])
    assert harness.summarize(summary_request).made


@pytest.mark.parametrize(
    ("scripted", "expected"),
    [
        (ServiceFault.REFUSED, "refused"),
        (ServiceFault.MISSING, "missing"),
        (ServiceFault.REJECTED, "rejected"),
        (ServiceFault.UNKNOWN, "unknown"),
        ((answer_with(), "content_filtered"), "filtered"),
        ((answer_with(), "model_context_window_exceeded"), "too_large"),
    ],
)
def test_a_refused_request_is_not_repeated(
    harness: SummaryHarness, summary_request: SummaryRequest, scripted: ScriptEntry, expected: str
) -> None:
    harness.sonnet = ScriptedModel([scripted])
    assert failure_cause(harness, summary_request, ModelRefused) == expected
    assert len(harness.sonnet.requests) == 1


def test_no_request_is_sent_without_enough_time_for_the_answer(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    with pytest.raises(ModelBusy, match="timed_out"):
        # Ten seconds are reserved for writing the summary.
        harness.summarize(summary_request, remaining_ms=(ANSWER_SECONDS + 9) * 1_000)
    assert not harness.sonnet.requests
    assert harness.transcript.said, "the transcript is stored before the first request"


def test_answers_from_before_an_interruption_are_not_requested_again(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    harness.sonnet = ScriptedModel([answer_with(summary="First."), ServiceFault.THROTTLED])
    failure_cause(harness, summary_request, ModelBusy)
    harness.sonnet = ScriptedModel([answer_with([SEND_REPORT], summary="Second.")])
    assert harness.summarize(summary_request).made
    assert harness.sonnet.tasks == ["actionItems"]
    assert harness.summary.summary == "First."
    assert harness.summary.tokens.output_tokens == 20, "the tokens of the stored answer count too"


def test_stored_answers_are_used_only_for_the_same_model_and_setting(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    harness.bucket.failing_prefix = "summaries/"
    for _ in range(2):
        failure_cause(harness, summary_request, StorageFailed)
    assert len(harness.sonnet.requests) == 2
    failure_cause(harness, summary_request, StorageFailed, action_model=HAIKU)
    assert harness.haiku.tasks == ["actionItems"]
    assert harness.sonnet.tasks == ["summary", "actionItems", "summary"], (
        "with two models, the request differs, because it has no cache point"
    )


def test_a_stored_answer_that_became_invalid_is_requested_again(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    harness.bucket.failing_prefix = "summaries/"
    failure_cause(harness, summary_request, StorageFailed)
    first_key, second_key = (key for key in harness.bucket.objects if "/answers/" in key)
    harness.bucket.objects[first_key] = b"{"
    harness.bucket.objects[second_key] = json.dumps({"schemaVersion": 1, "text": CANARY, "tokens": {}}).encode()
    harness.bucket.failing_prefix = None
    assert harness.summarize(summary_request).made
    assert harness.sonnet.tasks == ["summary", "actionItems"] * 2


def test_the_slower_of_two_concurrent_invocations_returns_the_summary_of_the_quicker_one(
    harness: SummaryHarness, summary_request: SummaryRequest
) -> None:
    quicker_harness = SummaryHarness(bucket=harness.bucket, sonnet=ScriptedModel([answer_with(summary="Quicker.")]))

    def answer_after_quicker_invocation(lines: list[Line]) -> str:
        if lines[-1]["task"] == "summary":
            quicker_harness.summarize(summary_request)
        return answer_with([SEND_REPORT], summary="Slower.")(lines)

    harness.sonnet = ScriptedModel([answer_after_quicker_invocation])
    result = harness.summarize(summary_request)
    assert (harness.summary.summary, result.made, result.action_items) == ("Quicker.", False, 0)
    assert not harness.metrics.sent


def test_an_existing_transcript_is_not_replaced(harness: SummaryHarness, summary_request: SummaryRequest) -> None:
    harness.sonnet = ScriptedModel([ServiceFault.REFUSED])
    failure_cause(harness, summary_request, ModelRefused)
    del harness.bucket.objects[RECORDING.part_transcript_key(0, "en-US")]
    harness.sonnet = ScriptedModel()
    assert harness.summarize(summary_request).made
    assert harness.bucket.written_keys.count(RECORDING.transcript_key) == 1


def test_a_missing_part_raises_transcript_missing(harness: SummaryHarness) -> None:
    summary_request = harness.store_part_transcripts(SPOKEN_MEETING, SPOKEN_MEETING)
    del harness.bucket.objects[RECORDING.part_transcript_key(1, "en-US")]
    assert failure_cause(harness, summary_request, TranscriptMissing) == "part_missing"
    assert RECORDING.transcript_key not in harness.bucket.objects, "an incomplete transcript must not be stored"


OUTPUT_WITH_LATE_WORDS = transcribe_output([*SPOKEN_MEETING, Turn("spk_0", 600_000, "Much later.")])


@pytest.mark.parametrize(("data", "cause"), [(CANARY.encode(), "malformed"), (OUTPUT_WITH_LATE_WORDS, "bad_times")])
def test_an_invalid_part_raises_transcript_unreadable(
    harness: SummaryHarness, summary_request: SummaryRequest, data: bytes, cause: str
) -> None:
    harness.bucket.objects[RECORDING.part_transcript_key(0, "en-US")] = data
    assert failure_cause(harness, summary_request, TranscriptUnreadable) == cause


@pytest.mark.parametrize("key", [RECORDING.summary_key, RECORDING.transcript_key])
def test_a_stored_output_of_another_form_raises_storage_failed(
    harness: SummaryHarness, summary_request: SummaryRequest, key: str
) -> None:
    harness.bucket.objects[key] = b'{"summary": 7, "said": "canary"}'
    with pytest.raises(StorageFailed, match=r"^unreadable$") as caught:
        harness.summarize(summary_request)
    assert caught.value.__context__ is None


def test_several_audio_parts_make_one_transcript(harness: SummaryHarness) -> None:
    harness.summarize(harness.store_part_transcripts(SPOKEN_MEETING, create_turns(("spk_0", "Anna will call Bob."))))
    assert [segment.speaker for segment in harness.transcript.said] == ["1-spk_0", "1-spk_1", "1-spk_0", "2-spk_0"]


def long_meeting(count: int = 60) -> tuple[Turn, ...]:
    """Return a meeting in which every turn contains a different promise."""
    turns = [
        (f"spk_{number % 2}", f"Point {number} is that we have many words to say. Anna will do task{number} soon.")
        for number in range(count)
    ]
    return create_turns(*turns)


def answer_promises(lines: list[Line]) -> str:
    """Return every promise in the lines as an action item, and name the first and last line in the summary."""
    numbers = [line["said"] for line in lines if "said" in line]
    items = [action_item(f"Anna will do task{number} soon", owner="Anna", said=number) for number in numbers]
    window_summaries = [line["text"] for line in lines if "summaryOf" in line]
    summary = " ".join(window_summaries) if window_summaries else f"From {numbers[0]} to {numbers[-1]}."
    return answer_with(items, summary=summary)(lines)


def test_a_long_transcript_is_summarised_in_windows(harness: SummaryHarness) -> None:
    harness.sonnet = ScriptedModel([answer_promises])
    result = harness.summarize(harness.store_part_transcripts(long_meeting()), window_characters=1_000)
    tasks = [prompt_lines(request)[-1] for request in harness.sonnet.requests]
    count = tasks[0]["count"]
    assert count > 4
    assert [task["index"] for task in tasks if task["task"] == "summary"] == list(range(count))
    assert harness.sonnet.tasks == ["summary", "actionItems"] * count + ["combine"]
    # A window has up to 1,000 characters and an overlap of about 200.
    assert all(
        sum(len(line.get("text", "")) for line in prompt_lines(request)) < 1_300
        for request in harness.sonnet.requests[:-1]
    )
    assert result.action_items == 60, "each promise must be listed once, although the windows overlap"
    times = [item.quote.start_ms for item in harness.summary.action_items]
    assert times == sorted(times)
    assert harness.summary.summary.startswith("From 0 to ")
    assert harness.summary.tokens.output_tokens == 10 * (2 * count + 1)


def test_the_summaries_of_many_windows_are_combined_in_groups(harness: SummaryHarness) -> None:
    harness.sonnet = ScriptedModel([lambda lines: answer_with(summary=lines[-1]["part"] + " word" * 50)(lines)])
    harness.summarize(harness.store_part_transcripts(long_meeting(200)), window_characters=1_000)
    prompts = [prompt_lines(request) for request in harness.sonnet.requests]
    groups = [lines[:-1] for lines in prompts if lines[-1]["task"] == "combine"]
    assert len(groups) > 4
    assert all(len(group) > 1 for group in groups)
    assert all(sum(len(line["text"]) for line in group) <= 1_000 for group in groups)


def test_parallel_requests_give_the_same_summary() -> None:
    results = []
    for parallel_calls in (1, 4):
        harness = SummaryHarness(sonnet=ScriptedModel([answer_promises]), parallel_calls=parallel_calls)
        harness.summarize(harness.store_part_transcripts(long_meeting()), window_characters=1_000)
        results.append((harness.summary, sorted(harness.sonnet.tasks), harness.bucket.objects))
    assert results[0] == results[1]


def test_logs_contain_no_speech(capsys: pytest.CaptureFixture[str], harness: SummaryHarness) -> None:
    summary_request = harness.store_part_transcripts(
        create_turns(("spk_canary", "The canary sings. Anna will feed the canary."))
    )
    item = action_item("Anna will feed the canary", text="Feed the canary", owner="canary", due="canary")
    scripts: list[list[ScriptEntry]] = [
        [ServiceFault.REFUSED],
        [lambda _: CANARY],
        [(answer_with(summary=CANARY), "content_filtered")],
        [answer_with([item, action_item(CANARY), {"text": CANARY}], summary=CANARY)],
    ]
    for script in scripts[:-1]:
        with pytest.raises(SummaryFailed):
            SummaryHarness(MemoryBucket(dict(harness.bucket.objects)), ScriptedModel(script)).summarize(summary_request)
    harness.sonnet = ScriptedModel(scripts[-1])
    assert harness.summarize(summary_request).action_items == 1
    output = capsys.readouterr()
    for event in ("summary_failed", "summary_ready", "meeting_read", "model_answered"):
        assert event in output.out
    for secret in (CANARY, RECORDING.meeting.user, RECORDING.meeting.meeting_id, RECORDING.content):
        assert secret not in output.out + output.err
