"""Tests of the summariser: it works once, continues after an interruption, and discloses nothing."""

import json
from typing import Any

import pytest

from handlers.common.aws.service_faults import ServiceFault
from handlers.meetings.bedrock_summarize.summary_data_models import ActionItem, SummaryTokens, TranscriptQuote
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
    REPORT,
    SONNET,
    SPOKEN_MEETING,
    AnswerFunction,
    Line,
    MemoryBucket,
    Scripted,
    ScriptedModel,
    SummaryHarness,
    action_item,
    answer_with,
    prompt_lines,
)
from tests.handlers.meetings.sample_transcripts import Turn, output, turns

CANARY = "canary"


@pytest.fixture
def harness() -> SummaryHarness:
    return SummaryHarness()


@pytest.fixture
def asked(harness: SummaryHarness) -> SummaryRequest:
    return harness.store_part_transcripts(SPOKEN_MEETING)


def failure_cause(harness: SummaryHarness, asked: SummaryRequest, kind: type[SummaryFailed], **changed: Any) -> str:
    with pytest.raises(kind) as caught:
        harness.summarize(asked, **changed)
    assert type(caught.value) is kind, "the workflow knows it by this name"
    assert caught.value.__context__ is None, "what it was raised from may hold what was said"
    assert CANARY not in str(caught.value)
    assert RECORDING.summary_key not in harness.bucket.objects
    return str(caught.value)


def test_a_meeting_has_a_transcript_a_summary_and_action_items(harness: SummaryHarness, asked: SummaryRequest) -> None:
    result = harness.summarize(asked)
    assert result.outcome is SummaryOutcome.SUMMARIZED
    assert (result.transcript_key, result.summary_key) == (RECORDING.transcript_key, RECORDING.summary_key)
    assert (result.action_items, result.dropped, result.made) == (2, 0, True)
    assert [segment.text for segment in harness.transcript.said] == [turn.text for turn in SPOKEN_MEETING]
    assert harness.summary.summary == "They met."
    report, room = harness.summary.action_items
    quote = TranscriptQuote(text="Anna will send the report by Friday", start_ms=SPOKEN_MEETING[1].start_ms)
    assert report == ActionItem(text="Send the report", owner="Anna", due="by Friday", quote=quote)
    assert (room.owner, room.due) == ("spk_0", None)
    assert (harness.summary.summary_model, harness.summary.action_model) == (SONNET, SONNET)


def test_a_repeated_call_returns_the_stored_summary_without_model_requests(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    first = harness.summarize(asked)
    before = dict(harness.bucket.objects)
    changes: list[dict[str, Any]] = [{}, {"action_model": HAIKU}]
    for changed in changes:
        assert harness.summarize(asked, **changed) == first.model_copy(update={"made": False})
    assert (len(harness.sonnet.requests), len(harness.metrics.sent), harness.bucket.objects) == (2, 2, before)
    assert not harness.haiku.requests, "another setting makes no other summary of it"


def test_an_empty_transcript_causes_no_model_request(harness: SummaryHarness) -> None:
    asked = harness.store_part_transcripts((), ())
    for _ in range(2):
        result = harness.summarize(asked)
        assert (result.outcome, result.summary_key) == (SummaryOutcome.NOTHING_SAID, None)
        assert harness.transcript.said == ()
    assert not harness.sonnet.requests
    assert not harness.metrics.sent


def test_the_token_metrics_are_sent_once_and_include_cached_tokens(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    result = harness.summarize(asked)
    assert [(metric.name, metric.value, metric.user) for metric in harness.metrics.sent] == [
        (INPUT_TOKENS, 2 * 1_101, None),
        (OUTPUT_TOKENS, 20, None),
    ]
    cost = SummaryTokens(input_tokens=200, output_tokens=20, cache_read_tokens=2_000, cache_write_tokens=2)
    assert harness.summary.tokens == cost
    assert SummaryTokens.model_validate(result.model_dump()) == cost


def test_two_models_each_do_one_task(harness: SummaryHarness, asked: SummaryRequest) -> None:
    harness.summarize(asked, action_model=HAIKU)
    assert (harness.sonnet.tasks, harness.haiku.tasks) == (["summary"], ["actionItems"])
    assert harness.summary.action_model == HAIKU


@pytest.mark.parametrize("wrong", [answer_with([REPORT], part="77ab01c2d3e4"), lambda _: CANARY])
def test_an_invalid_answer_is_requested_once_more_and_then_refused(
    harness: SummaryHarness, asked: SummaryRequest, wrong: AnswerFunction
) -> None:
    harness.sonnet = ScriptedModel([wrong, answer_with([REPORT])])
    assert harness.summarize(asked).action_items == 1
    assert harness.sonnet.tasks == ["summary", "summary", "actionItems"]
    assert harness.summary.tokens.output_tokens == 30, "what could not be used was paid for"

    other = SummaryHarness(sonnet=ScriptedModel([wrong]))
    assert failure_cause(other, other.store_part_transcripts(SPOKEN_MEETING), SummaryUnusable) == "unusable_answer"
    assert len(other.sonnet.requests) == 2


def test_single_malformed_items_of_the_second_answer_are_skipped(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    harness.sonnet = ScriptedModel([answer_with(), answer_with([{"text": 7}, REPORT])])
    harness.bucket.failing_prefix = "summaries/"
    failure_cause(harness, asked, StorageFailed)
    harness.bucket.failing_prefix = None
    assert harness.summarize(asked).action_items == 1
    assert len(harness.sonnet.requests) == 3, "what was kept is read as patiently as it was"


@pytest.mark.parametrize("fault", [ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE])
def test_a_busy_model_is_retried_and_then_left_to_the_workflow(
    harness: SummaryHarness, asked: SummaryRequest, fault: ServiceFault
) -> None:
    harness.sonnet = ScriptedModel([fault, fault, answer_with([REPORT])])
    assert harness.summarize(asked).made
    assert harness.waits == [0.5, 1.0]

    other = SummaryHarness(sonnet=ScriptedModel([fault]))
    assert failure_cause(other, other.store_part_transcripts(SPOKEN_MEETING), ModelBusy) == fault.value
    assert 30 < sum(other.waits) < REMAINING_MS / 1000 / 3, "waiting in the workflow costs nothing"


def test_a_timed_out_request_is_repeated_once_and_then_left_to_the_workflow(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    harness.sonnet = ScriptedModel([ServiceFault.TIMED_OUT])
    assert failure_cause(harness, asked, ModelBusy) == "timed_out"
    assert len(harness.sonnet.requests) == 2, "each is paid for"
    harness.sonnet = ScriptedModel([ServiceFault.TIMED_OUT, answer_with([REPORT])])
    assert harness.summarize(asked).made


@pytest.mark.parametrize(
    ("scripted", "expected"),
    [
        (ServiceFault.REFUSED, "refused"),
        (ServiceFault.MISSING, "missing"),
        (ServiceFault.REJECTED, "rejected"),
        (ServiceFault.UNKNOWN, "unknown"),
        ((answer_with(), "guardrail_intervened"), "guardrail"),
        ((answer_with(), "content_filtered"), "filtered"),
        ((answer_with(), "model_context_window_exceeded"), "too_large"),
    ],
)
def test_a_refusal_by_the_model_is_not_retried(
    harness: SummaryHarness, asked: SummaryRequest, scripted: Scripted, expected: str
) -> None:
    harness.sonnet = ScriptedModel([scripted])
    assert failure_cause(harness, asked, ModelRefused) == expected
    assert len(harness.sonnet.requests) == 1


def test_no_request_is_sent_without_enough_time_for_the_answer(harness: SummaryHarness, asked: SummaryRequest) -> None:
    with pytest.raises(ModelBusy, match="timed_out"):
        harness.summarize(asked, remaining_ms=(ANSWER_SECONDS + 9) * 1_000)
    assert not harness.sonnet.requests
    assert harness.transcript.said, "what was done until then stays"


def test_answers_from_before_an_interruption_are_not_requested_again(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    harness.sonnet = ScriptedModel([answer_with(summary="First."), ServiceFault.THROTTLED])
    failure_cause(harness, asked, ModelBusy)
    harness.sonnet = ScriptedModel([answer_with([REPORT], summary="Second.")])
    assert harness.summarize(asked).made
    assert harness.sonnet.tasks == ["actionItems"]
    assert harness.summary.summary == "First."
    assert harness.summary.tokens.output_tokens == 20, "what was paid for earlier counts too"


def test_another_model_or_setting_is_another_question(harness: SummaryHarness, asked: SummaryRequest) -> None:
    harness.bucket.failing_prefix = "summaries/"
    failure_cause(harness, asked, StorageFailed)
    failure_cause(harness, asked, StorageFailed)
    assert len(harness.sonnet.requests) == 2
    failure_cause(harness, asked, StorageFailed, action_model=HAIKU)
    assert harness.haiku.tasks == ["actionItems"]
    assert harness.sonnet.tasks == ["summary", "actionItems", "summary"], "without a cache point it is asked anew"


def test_a_stored_answer_that_became_invalid_is_requested_again(harness: SummaryHarness, asked: SummaryRequest) -> None:
    harness.bucket.failing_prefix = "summaries/"
    failure_cause(harness, asked, StorageFailed)
    first, second = (key for key in harness.bucket.objects if "/answers/" in key)
    harness.bucket.objects[first] = b"{"
    harness.bucket.objects[second] = json.dumps({"schemaVersion": 1, "text": CANARY, "tokens": {}}).encode()
    harness.bucket.failing_prefix = None
    assert harness.summarize(asked).made
    assert harness.sonnet.tasks == ["summary", "actionItems"] * 2


def test_the_second_of_two_invocations_returns_the_summary_of_the_first(
    harness: SummaryHarness, asked: SummaryRequest
) -> None:
    quicker = SummaryHarness(bucket=harness.bucket, sonnet=ScriptedModel([answer_with(summary="Quicker.")]))

    def slow(given: list[Line]) -> str:
        if given[-1]["task"] == "summary":
            quicker.summarize(asked)
        return answer_with([REPORT], summary="Slower.")(given)

    harness.sonnet = ScriptedModel([slow])
    result = harness.summarize(asked)
    assert (harness.summary.summary, result.made, result.action_items) == ("Quicker.", False, 0)
    assert not harness.metrics.sent


def test_an_existing_transcript_is_not_replaced(harness: SummaryHarness, asked: SummaryRequest) -> None:
    harness.sonnet = ScriptedModel([ServiceFault.REFUSED])
    failure_cause(harness, asked, ModelRefused)
    del harness.bucket.objects[RECORDING.part_transcript_key(0, "en-US")]
    harness.sonnet = ScriptedModel()
    assert harness.summarize(asked).made
    assert harness.bucket.written.count(RECORDING.transcript_key) == 1


def test_a_missing_part_raises_transcript_missing(harness: SummaryHarness) -> None:
    asked = harness.store_part_transcripts(SPOKEN_MEETING, SPOKEN_MEETING)
    del harness.bucket.objects[RECORDING.part_transcript_key(1, "en-US")]
    assert failure_cause(harness, asked, TranscriptMissing) == "part_missing"
    assert RECORDING.transcript_key not in harness.bucket.objects, "half a transcript is none"


LATE_WORDS = output([*SPOKEN_MEETING, Turn("spk_0", 600_000, "Much later.")])


@pytest.mark.parametrize(("data", "cause"), [(CANARY.encode(), "malformed"), (LATE_WORDS, "bad_times")])
def test_an_invalid_part_raises_transcript_unreadable(
    harness: SummaryHarness, asked: SummaryRequest, data: bytes, cause: str
) -> None:
    harness.bucket.objects[RECORDING.part_transcript_key(0, "en-US")] = data
    assert failure_cause(harness, asked, TranscriptUnreadable) == cause


@pytest.mark.parametrize("key", [RECORDING.summary_key, RECORDING.transcript_key])
def test_an_unknown_object_in_place_of_an_output_is_refused(
    harness: SummaryHarness, asked: SummaryRequest, key: str
) -> None:
    harness.bucket.objects[key] = b'{"summary": 7, "said": "canary"}'
    with pytest.raises(StorageFailed, match=r"^unreadable$") as caught:
        harness.summarize(asked)
    assert caught.value.__context__ is None


def test_several_audio_parts_make_one_transcript(harness: SummaryHarness) -> None:
    harness.summarize(harness.store_part_transcripts(SPOKEN_MEETING, turns(("spk_0", "Anna will call Bob."))))
    assert [segment.speaker for segment in harness.transcript.said] == ["1-spk_0", "1-spk_1", "1-spk_0", "2-spk_0"]


def long_meeting(count: int = 60) -> tuple[Turn, ...]:
    said = [
        (f"spk_{at % 2}", f"Point {at} is that we have many words to say. Anna will do thing number{at} soon.")
        for at in range(count)
    ]
    return turns(*said)


def answer_promises(given: list[Line]) -> str:
    """Return every promise in the given lines as an action item, and name the line numbers in the summary."""
    numbers = [line["said"] for line in given if "said" in line]
    items = [action_item(f"Anna will do thing number{at} soon", owner="Anna", said=at) for at in numbers]
    parts = [line["text"] for line in given if "summaryOf" in line]
    told = " ".join(parts) if parts else f"From {numbers[0]} to {numbers[-1]}."
    return answer_with(items, summary=told)(given)


def test_a_long_transcript_is_summarised_in_parts(harness: SummaryHarness) -> None:
    harness.sonnet = ScriptedModel([answer_promises])
    result = harness.summarize(harness.store_part_transcripts(long_meeting()), window_characters=1_000)
    heads = [prompt_lines(request)[-1] for request in harness.sonnet.requests]
    count = heads[0]["count"]
    assert count > 4
    assert [head["index"] for head in heads if head["task"] == "summary"] == list(range(count))
    assert harness.sonnet.tasks == ["summary", "actionItems"] * count + ["combine"]
    assert all(
        sum(len(line.get("text", "")) for line in prompt_lines(request)) < 1_300
        for request in harness.sonnet.requests[:-1]
    )
    assert result.action_items == 60, "each promise once, though parts overlap"
    times = [action_item.quote.start_ms for action_item in harness.summary.action_items]
    assert times == sorted(times)
    assert harness.summary.summary.startswith("From 0 to ")
    assert harness.summary.tokens.output_tokens == 10 * (2 * count + 1)


def test_the_summaries_of_many_parts_are_combined_in_groups(harness: SummaryHarness) -> None:
    harness.sonnet = ScriptedModel([lambda given: answer_with(summary=given[-1]["part"] + " word" * 50)(given)])
    harness.summarize(harness.store_part_transcripts(long_meeting(200)), window_characters=1_000)
    prompts = [prompt_lines(request) for request in harness.sonnet.requests]
    combined = [lines[:-1] for lines in prompts if lines[-1]["task"] == "combine"]
    assert len(combined) > 4
    assert all(len(given) > 1 for given in combined)
    assert all(sum(len(line["text"]) for line in given) <= 1_000 for given in combined)


def test_concurrent_parts_give_the_same_summary() -> None:
    found = []
    for at_once in (1, 4):
        one = SummaryHarness(sonnet=ScriptedModel([answer_promises]), at_once=at_once)
        one.summarize(one.store_part_transcripts(long_meeting()), window_characters=1_000)
        found.append((one.summary, sorted(one.sonnet.tasks), one.bucket.objects))
    assert found[0] == found[1]


def test_logs_contain_no_speech(capsys: pytest.CaptureFixture[str], harness: SummaryHarness) -> None:
    asked = harness.store_part_transcripts(turns(("spk_canary", "The canary sings. Anna will feed the canary.")))
    fed = action_item("Anna will feed the canary", text="Feed the canary", owner="canary", due="canary")
    scripts: list[list[Scripted]] = [
        [ServiceFault.REFUSED],
        [lambda _: CANARY],
        [(answer_with(summary=CANARY), "guardrail_intervened")],
        [answer_with([fed, action_item(CANARY), {"text": CANARY}], summary=CANARY)],
    ]
    for script in scripts[:-1]:
        with pytest.raises(SummaryFailed):
            SummaryHarness(MemoryBucket(dict(harness.bucket.objects)), ScriptedModel(script)).summarize(asked)
    harness.sonnet = ScriptedModel(scripts[-1])
    assert harness.summarize(asked).action_items == 1
    logged = capsys.readouterr()
    assert "summary_failed" in logged.out
    assert "summary_ready" in logged.out
    assert "meeting_read" in logged.out
    assert "model_answered" in logged.out
    for secret in (CANARY, RECORDING.meeting.user, RECORDING.meeting.meeting_id, RECORDING.content):
        assert secret not in logged.out + logged.err
