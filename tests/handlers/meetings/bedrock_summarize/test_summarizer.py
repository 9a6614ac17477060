"""A meeting is summarised once, goes on where it broke off, and nothing of it is in a log or an exception."""

import json
from typing import Any

import pytest

from handlers.common.aws.service_faults import Fault
from handlers.meetings.bedrock_summarize.summary import ActionItem, SummaryTokens, TranscriptQuote
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
from tests.handlers.meetings.bedrock_summarize.summary_setup import (
    ANSWER_SECONDS,
    HAIKU,
    MEETING,
    RECORDING,
    REMAINING_MS,
    REPORT,
    SONNET,
    Answering,
    Drawer,
    Line,
    Oracle,
    Scripted,
    Stage,
    answering,
    item,
    lines,
)
from tests.handlers.meetings.sample_transcripts import Turn, turns

CANARY = "canary"


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def asked(stage: Stage) -> SummaryRequest:
    return stage.transcribed(MEETING)


def cause(stage: Stage, asked: SummaryRequest, kind: type[SummaryFailed], **changed: Any) -> str:
    with pytest.raises(kind) as caught:
        stage.summarize(asked, **changed)
    assert type(caught.value) is kind, "the workflow knows it by this name"
    assert caught.value.__context__ is None, "what it was raised from may hold what was said"
    assert CANARY not in str(caught.value)
    assert RECORDING.summary_key not in stage.drawer.objects
    return str(caught.value)


def test_a_meeting_has_a_transcript_a_summary_and_action_items(stage: Stage, asked: SummaryRequest) -> None:
    result = stage.summarize(asked)
    assert result.outcome is SummaryOutcome.SUMMARIZED
    assert (result.transcript_key, result.summary_key) == (RECORDING.transcript_key, RECORDING.summary_key)
    assert (result.action_items, result.dropped, result.made) == (2, 0, True)
    assert [segment.text for segment in stage.transcript.said] == [turn.text for turn in MEETING]
    assert stage.summary.summary == "They met."
    report, room = stage.summary.action_items
    quote = TranscriptQuote(text="Anna will send the report by Friday", start_ms=MEETING[1].start_ms)
    assert report == ActionItem(text="Send the report", owner="Anna", due="by Friday", quote=quote)
    assert (room.owner, room.due) == ("spk_0", None)
    assert (stage.summary.summary_model, stage.summary.action_model) == (SONNET, SONNET)


def test_a_repeat_finds_the_summary_and_pays_nothing(stage: Stage, asked: SummaryRequest) -> None:
    first = stage.summarize(asked)
    before = dict(stage.drawer.objects)
    changes: list[dict[str, Any]] = [{}, {"action_model": HAIKU}]
    for changed in changes:
        assert stage.summarize(asked, **changed) == first.model_copy(update={"made": False})
    assert (len(stage.sonnet.asked), len(stage.meter.told), stage.drawer.objects) == (2, 2, before)
    assert not stage.haiku.asked, "another setting makes no other summary of it"


def test_where_nothing_is_said_no_model_is_asked(stage: Stage) -> None:
    asked = stage.transcribed((), ())
    for _ in range(2):
        result = stage.summarize(asked)
        assert (result.outcome, result.summary_key) == (SummaryOutcome.NOTHING_SAID, None)
        assert stage.transcript.said == ()
    assert not stage.sonnet.asked
    assert not stage.meter.told


def test_what_it_cost_is_told_once_with_all_that_was_read(stage: Stage, asked: SummaryRequest) -> None:
    result = stage.summarize(asked)
    assert [(metric.name, metric.value, metric.user) for metric in stage.meter.told] == [
        (INPUT_TOKENS, 2 * 1_101, None),
        (OUTPUT_TOKENS, 20, None),
    ]
    cost = SummaryTokens(input_tokens=200, output_tokens=20, cache_read_tokens=2_000, cache_write_tokens=2)
    assert stage.summary.tokens == cost
    assert SummaryTokens.model_validate(result.model_dump()) == cost


def test_two_models_do_a_task_each(stage: Stage, asked: SummaryRequest) -> None:
    stage.summarize(asked, action_model=HAIKU)
    assert (stage.sonnet.tasks, stage.haiku.tasks) == (["summary"], ["actionItems"])
    assert stage.summary.action_model == HAIKU


@pytest.mark.parametrize("wrong", [answering([REPORT], part="77ab01c2d3e4"), lambda _: CANARY])
def test_an_answer_that_is_not_to_the_question_is_asked_for_once_more_and_then_refused(
    stage: Stage, asked: SummaryRequest, wrong: Answering
) -> None:
    stage.sonnet = Oracle([wrong, answering([REPORT])])
    assert stage.summarize(asked).action_items == 1
    assert stage.sonnet.tasks == ["summary", "summary", "actionItems"]
    assert stage.summary.tokens.output_tokens == 30, "what could not be used was paid for"

    other = Stage(sonnet=Oracle([wrong]))
    assert cause(other, other.transcribed(MEETING), SummaryUnusable) == "unusable_answer"
    assert len(other.sonnet.asked) == 2


def test_in_the_end_single_items_that_are_none_are_passed_over(stage: Stage, asked: SummaryRequest) -> None:
    stage.sonnet = Oracle([answering(), answering([{"text": 7}, REPORT])])
    stage.drawer.broken = "summaries/"
    cause(stage, asked, StorageFailed)
    stage.drawer.broken = None
    assert stage.summarize(asked).action_items == 1
    assert len(stage.sonnet.asked) == 3, "what was kept is read as patiently as it was"


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.UNAVAILABLE])
def test_a_busy_model_is_waited_for_and_then_left_to_the_workflow(
    stage: Stage, asked: SummaryRequest, fault: Fault
) -> None:
    stage.sonnet = Oracle([fault, fault, answering([REPORT])])
    assert stage.summarize(asked).made
    assert stage.waits == [0.5, 1.0]

    other = Stage(sonnet=Oracle([fault]))
    assert cause(other, other.transcribed(MEETING), ModelBusy) == fault.value
    assert 30 < sum(other.waits) < REMAINING_MS / 1000 / 3, "waiting in the workflow costs nothing"


def test_an_answer_that_takes_too_long_is_asked_for_once_more_and_then_left_to_the_workflow(
    stage: Stage, asked: SummaryRequest
) -> None:
    stage.sonnet = Oracle([Fault.TIMED_OUT])
    assert cause(stage, asked, ModelBusy) == "timed_out"
    assert len(stage.sonnet.asked) == 2, "each is paid for"
    stage.sonnet = Oracle([Fault.TIMED_OUT, answering([REPORT])])
    assert stage.summarize(asked).made


@pytest.mark.parametrize(
    ("scripted", "expected"),
    [
        (Fault.REFUSED, "refused"),
        (Fault.MISSING, "missing"),
        (Fault.REJECTED, "rejected"),
        (Fault.UNKNOWN, "unknown"),
        ((answering(), "guardrail_intervened"), "guardrail"),
        ((answering(), "content_filtered"), "filtered"),
        ((answering(), "model_context_window_exceeded"), "too_large"),
    ],
)
def test_a_model_that_will_not_answer_is_asked_once(
    stage: Stage, asked: SummaryRequest, scripted: Scripted, expected: str
) -> None:
    stage.sonnet = Oracle([scripted])
    assert cause(stage, asked, ModelRefused) == expected
    assert len(stage.sonnet.asked) == 1


def test_no_question_begins_that_could_not_be_answered_in_time(stage: Stage, asked: SummaryRequest) -> None:
    with pytest.raises(ModelBusy, match="timed_out"):
        stage.summarize(asked, remaining_ms=(ANSWER_SECONDS + 9) * 1_000)
    assert not stage.sonnet.asked
    assert stage.transcript.said, "what was done until then stays"


def test_what_was_answered_before_it_broke_off_is_not_asked_for_again(stage: Stage, asked: SummaryRequest) -> None:
    stage.sonnet = Oracle([answering(summary="First."), Fault.THROTTLED])
    cause(stage, asked, ModelBusy)
    stage.sonnet = Oracle([answering([REPORT], summary="Second.")])
    assert stage.summarize(asked).made
    assert stage.sonnet.tasks == ["actionItems"]
    assert stage.summary.summary == "First."
    assert stage.summary.tokens.output_tokens == 20, "what was paid for earlier counts too"


def test_another_model_or_setting_is_another_question(stage: Stage, asked: SummaryRequest) -> None:
    stage.drawer.broken = "summaries/"
    cause(stage, asked, StorageFailed)
    cause(stage, asked, StorageFailed)
    assert len(stage.sonnet.asked) == 2
    cause(stage, asked, StorageFailed, action_model=HAIKU)
    assert stage.haiku.tasks == ["actionItems"]
    assert stage.sonnet.tasks == ["summary", "actionItems", "summary"], "without a cache point it is asked anew"


def test_an_answer_that_was_kept_and_is_none_any_more_is_asked_for_again(stage: Stage, asked: SummaryRequest) -> None:
    stage.drawer.broken = "summaries/"
    cause(stage, asked, StorageFailed)
    first, second = (key for key in stage.drawer.objects if "/answers/" in key)
    stage.drawer.objects[first] = b"{"
    stage.drawer.objects[second] = json.dumps({"schemaVersion": 1, "text": CANARY, "tokens": {}}).encode()
    stage.drawer.broken = None
    assert stage.summarize(asked).made
    assert stage.sonnet.tasks == ["summary", "actionItems"] * 2


def test_whoever_is_second_keeps_the_summary_of_the_first(stage: Stage, asked: SummaryRequest) -> None:
    quicker = Stage(drawer=stage.drawer, sonnet=Oracle([answering(summary="Quicker.")]))

    def slow(given: list[Line]) -> str:
        if given[-1]["task"] == "summary":
            quicker.summarize(asked)
        return answering([REPORT], summary="Slower.")(given)

    stage.sonnet = Oracle([slow])
    result = stage.summarize(asked)
    assert (stage.summary.summary, result.made, result.action_items) == ("Quicker.", False, 0)
    assert not stage.meter.told


def test_a_transcript_that_is_there_is_not_made_again(stage: Stage, asked: SummaryRequest) -> None:
    stage.sonnet = Oracle([Fault.REFUSED])
    cause(stage, asked, ModelRefused)
    del stage.drawer.objects[RECORDING.part_transcript_key(0, "en-US")]
    stage.sonnet = Oracle()
    assert stage.summarize(asked).made
    assert stage.drawer.written.count(RECORDING.transcript_key) == 1


def test_a_part_without_transcript_is_missing(stage: Stage) -> None:
    asked = stage.transcribed(MEETING, MEETING)
    del stage.drawer.objects[RECORDING.part_transcript_key(1, "en-US")]
    assert cause(stage, asked, TranscriptMissing) == "part_missing"
    assert RECORDING.transcript_key not in stage.drawer.objects, "half a transcript is none"


@pytest.mark.parametrize("data", [b"", CANARY.encode(), b'{"results": {"items": "canary"}}'])
def test_a_part_that_is_no_transcript_is_refused(stage: Stage, asked: SummaryRequest, data: bytes) -> None:
    stage.drawer.objects[RECORDING.part_transcript_key(0, "en-US")] = data
    assert cause(stage, asked, TranscriptUnreadable) == "malformed"


def test_a_transcript_of_another_recording_is_refused(stage: Stage, asked: SummaryRequest) -> None:
    other = Stage()
    other.transcribed([*MEETING, Turn("spk_0", 600_000, "Much later.")])
    stage.drawer.objects[RECORDING.part_transcript_key(0, "en-US")] = other.drawer.objects[
        RECORDING.part_transcript_key(0, "en-US")
    ]
    assert cause(stage, asked, TranscriptUnreadable) == "bad_times"


@pytest.mark.parametrize("key", [RECORDING.summary_key, RECORDING.transcript_key])
def test_what_stands_where_ours_should_is_not_read_as_ours(stage: Stage, asked: SummaryRequest, key: str) -> None:
    stage.drawer.objects[key] = b'{"summary": 7, "said": "canary"}'
    with pytest.raises(StorageFailed, match=r"^unreadable$") as caught:
        stage.summarize(asked)
    assert caught.value.__context__ is None


def test_several_parts_of_the_sound_make_one_transcript(stage: Stage) -> None:
    stage.summarize(stage.transcribed(MEETING, turns(("spk_0", "Anna will call Bob."))))
    assert [segment.speaker for segment in stage.transcript.said] == ["1-spk_0", "1-spk_1", "1-spk_0", "2-spk_0"]


def long_meeting(count: int = 60) -> tuple[Turn, ...]:
    said = [
        (f"spk_{at % 2}", f"Point {at} is that we have many words to say. Anna will do thing number{at} soon.")
        for at in range(count)
    ]
    return turns(*said)


def promising(given: list[Line]) -> str:
    """Finds each promise of what it is given, and tells the numbers of the lines in its summary."""
    numbers = [line["said"] for line in given if "said" in line]
    items = [item(f"Anna will do thing number{at} soon", owner="Anna", said=at) for at in numbers]
    parts = [line["text"] for line in given if "summaryOf" in line]
    told = " ".join(parts) if parts else f"From {numbers[0]} to {numbers[-1]}."
    return answering(items, summary=told)(given)


def test_a_long_transcript_is_read_in_parts_that_become_one(stage: Stage) -> None:
    stage.sonnet = Oracle([promising])
    result = stage.summarize(stage.transcribed(long_meeting()), part_characters=1_000)
    heads = [lines(request)[-1] for request in stage.sonnet.asked]
    count = heads[0]["count"]
    assert count > 4
    assert [head["index"] for head in heads if head["task"] == "summary"] == list(range(count))
    assert stage.sonnet.tasks == ["summary", "actionItems"] * count + ["combine"]
    assert all(sum(len(line.get("text", "")) for line in lines(request)) < 1_300 for request in stage.sonnet.asked[:-1])
    assert result.action_items == 60, "each promise once, though parts overlap"
    times = [item.quote.start_ms for item in stage.summary.action_items]
    assert times == sorted(times)
    assert stage.summary.summary.startswith("From 0 to ")
    assert stage.summary.tokens.output_tokens == 10 * (2 * count + 1)


def test_very_many_parts_are_combined_in_groups(stage: Stage) -> None:
    stage.sonnet = Oracle([lambda given: answering(summary=given[-1]["part"] + " word" * 50)(given)])
    stage.summarize(stage.transcribed(long_meeting(200)), part_characters=1_000)
    combined = [lines(request)[:-1] for request in stage.sonnet.asked if lines(request)[-1]["task"] == "combine"]
    assert len(combined) > 4
    assert all(len(given) > 1 for given in combined)
    assert all(sum(len(line["text"]) for line in given) <= 1_000 for given in combined)


def test_a_long_transcript_goes_on_with_the_part_that_it_broke_off_at(stage: Stage) -> None:
    asked = stage.transcribed(long_meeting())
    stage.sonnet = Oracle([*[promising] * 5, Fault.THROTTLED])
    with pytest.raises(ModelBusy):
        stage.summarize(asked, part_characters=1_000)
    stage.sonnet = Oracle([promising])
    assert stage.summarize(asked, part_characters=1_000).action_items == 60
    heads = [lines(request)[-1] for request in stage.sonnet.asked]
    assert (heads[0]["task"], heads[0]["index"]) == ("actionItems", 2)


def test_parts_that_are_read_at_once_make_the_same_summary() -> None:
    found = []
    for at_once in (1, 4):
        one = Stage(sonnet=Oracle([promising]), at_once=at_once)
        one.summarize(one.transcribed(long_meeting()), part_characters=1_000)
        found.append((one.summary, sorted(one.sonnet.tasks), one.drawer.objects))
    assert found[0] == found[1]


def test_what_is_said_is_never_in_a_log(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    asked = stage.transcribed(turns(("spk_canary", "The canary sings. Anna will feed the canary.")))
    fed = item("Anna will feed the canary", text="Feed the canary", owner="canary", due="canary")
    scripts: list[list[Scripted]] = [
        [Fault.REFUSED],
        [lambda _: CANARY],
        [(answering(summary=CANARY), "guardrail_intervened")],
        [answering([fed, item(CANARY), {"text": CANARY}], summary=CANARY)],
    ]
    for script in scripts[:-1]:
        with pytest.raises(SummaryFailed):
            Stage(Drawer(dict(stage.drawer.objects)), Oracle(script)).summarize(asked)
    stage.sonnet = Oracle(scripts[-1])
    assert stage.summarize(asked).action_items == 1
    logged = capsys.readouterr()
    assert "summary_failed" in logged.out
    assert "summary_ready" in logged.out
    assert "model_answered" in logged.out
    for secret in (CANARY, RECORDING.meeting.user, RECORDING.meeting.meeting_id, RECORDING.content):
        assert secret not in logged.out + logged.err
