"""The agent works each window through once, however often it is told to, and says nothing of it in a log."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.bedrock.model_answers import AnswerJsonProblem
from handlers.common.text.text_windows import WindowSizes
from handlers.livestream.agent.model_answer import Problem
from handlers.livestream.agent.model_request import MemoryEvent
from handlers.livestream.agent.window_worker import NoMessage, OtherWindows, Outcome
from handlers.livestream.findings import Verdict, WindowFailure
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.table_records import EpisodeRecord
from handlers.livestream.tracks import ContentType, Track, TrackState, Upload
from handlers.livestream.window_queue import WindowMessage, messages
from tests.handlers.livestream.agent.fake_agent_services import (
    EPISODE,
    KEY,
    OWNER,
    RECALLED,
    REMAINING_MS,
    SIZES,
    Booth,
    Notebook,
    Oracle,
    Shelf,
    bodies,
    claim,
    lines,
    said,
)
from tests.handlers.livestream.api_setup import TABLE, Stage

FERRIES = claim("We ran 600 ferries", verdict="refuted", confidence=0.9, sources=[RECALLED.event_id])
LARGEST = claim("the largest fleet that ever was")
CLIP = {"startMs": 0, "endMs": 12_000, "title": "canary", "reason": "canary"}


def handled(booth: Booth, body: str | None = None, remaining_ms: int = REMAINING_MS) -> Outcome:
    return booth.worker().handle(body or bodies()[0], remaining_ms)


def failure(booth: Booth) -> WindowFailure | None:
    found: WindowFailure | None
    (found,) = booth.ledger.ended.values()
    return found


def test_a_window_is_checked_with_what_is_remembered_and_its_findings_are_kept_and_recorded() -> None:
    booth = Booth(oracle=Oracle([said(FERRIES, claim("we sold ferries"), clips=[CLIP])]))
    booth.notebook.recalled = [RECALLED]
    assert handled(booth) is Outcome.CHECKED
    (found,) = booth.ledger.claims.values()
    assert (found.quote, found.verdict, found.start_ms) == ("We ran 600 ferries", Verdict.REFUTED, 0)
    (clip,) = booth.ledger.clips.values()
    assert (clip.start_ms, clip.end_ms) == (0, 12_000)
    assert failure(booth) is None
    [(window_id, (actor, session, asked, answered))] = booth.notebook.recorded.items()
    assert (actor, session) == (OWNER, EPISODE)
    assert window_id == WindowMessage.model_validate_json(bodies()[0]).window_id
    assert "We ran 600 ferries last spring." in asked
    assert "islands" not in asked, "what follows the core is remembered with its own window"
    checked, cut = (json.loads(line) for line in answered.split("\n"))
    assert (checked["verdict"], checked["quote"], cut["endMs"]) == ("refuted", "We ran 600 ferries", 12_000)
    assert "we sold ferries" not in answered


def test_a_window_without_findings_is_recorded_too() -> None:
    booth = Booth()
    handled(booth)
    ((*_, answered),) = booth.notebook.recorded.values()
    assert answered


def test_a_window_that_is_done_is_not_done_again() -> None:
    booth = Booth(oracle=Oracle([said(FERRIES)]))
    assert [handled(booth), handled(booth)] == [Outcome.CHECKED, Outcome.ALREADY_DONE]
    assert len(booth.oracle.asked) == 1


@pytest.mark.parametrize("calls", range(10))
def test_a_window_that_broke_off_has_the_findings_of_one_answer(stage: Stage, calls: int) -> None:
    """Wherever it broke off: the model answers otherwise when it is asked again."""
    first = said(FERRIES, claim("last spring"), clips=[CLIP])
    booth = Booth(oracle=Oracle([first, said(claim("600 ferries last spring"))]))
    stage.table.create(waiting())
    booth.ledger = FindingsTable(stage.dynamodb, TABLE, lambda: stage.now)
    worker = booth.worker()
    left = iter([None] * calls)

    def broken(**_: Any) -> None:
        if next(left, RuntimeError) is RuntimeError:
            raise RuntimeError("canary")

    stage.dynamodb.meta.events.register("before-call.dynamodb", broken)
    with suppress(RuntimeError):
        worker.handle(bodies()[0], REMAINING_MS)
    stage.dynamodb.meta.events.unregister("before-call.dynamodb", broken)
    worker.handle(bodies()[0], REMAINING_MS)
    quotes = {one["quote"] for one in stage.does("listClaims", episode_id=EPISODE, owner=None).body["claims"]}
    assert quotes in ({"We ran 600 ferries", "last spring"}, {"600 ferries last spring"})


def waiting() -> EpisodeRecord:
    """The booth's episode, whose transcript was asked for."""
    upload = Upload(upload_id="01HZXW3V9K8Q2M4N6P8R0T2V4Y", content_type=ContentType.SUBRIP, size=1)
    return EpisodeRecord(
        owner=OWNER,
        episode_id=EPISODE,
        title="A stream",
        language="en",
        video=Track(state=TrackState.NONE, since="1"),
        transcript=Track(state=TrackState.REQUESTED, since="1", upload=upload),
        created_at="1",
        updated_at="1",
    )


def test_findings_that_cannot_be_kept_right_now_are_kept_a_little_later() -> None:
    booth = Booth(oracle=Oracle([said(FERRIES)]))
    booth.ledger.faults = [ServiceFault.UNAVAILABLE, ServiceFault.UNAVAILABLE]
    assert handled(booth) is Outcome.CHECKED
    assert (len(booth.ledger.claims), len(booth.oracle.asked), len(booth.waits)) == (1, 1, 2)


def test_what_an_earlier_upload_of_the_same_words_gave_is_no_source() -> None:
    given_up = messages(OWNER, EPISODE, KEY.replace("Y.srt", "W.srt"), "v1", 2, SIZES)
    recalled = [MemoryEvent(f"{at}#a", "We ran 600 ferries.", one.window_id) for at, one in enumerate(given_up)]
    founded = claim("We ran 600 ferries", verdict="supported", sources=[one.event_id for one in recalled])
    booth = Booth(oracle=Oracle([said(founded)]), notebook=Notebook(recalled))
    handled(booth)
    assert not [line for line in lines(booth.oracle.asked[0]) if "memory" in line]
    (found,) = booth.ledger.claims.values()
    assert (found.verdict, found.sources) == (Verdict.UNVERIFIED, ())


def text(what: str) -> Callable[[dict[str, Any]], str]:
    return lambda _: what


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (text("I would rather not, canary."), AnswerJsonProblem.NO_JSON),
        (said(FERRIES, window="another"), Problem.OTHER_WINDOW),
        (said({"quote": "canary"}), Problem.BAD_ITEM),
        ((said(FERRIES), "max_tokens"), Problem.CUT_OFF),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_once_more(bad: Any, problem: Problem) -> None:
    booth = Booth(oracle=Oracle([bad, said(FERRIES)]))
    assert handled(booth) is Outcome.CHECKED
    assert len(booth.ledger.claims) == 1
    repair = booth.oracle.asked[1]["messages"][-1]["content"][-1]["text"]
    assert problem.value in repair
    assert "canary" not in repair

    booth = Booth(oracle=Oracle([bad]))
    assert handled(booth) is Outcome.FAILED
    assert failure(booth) is WindowFailure.UNUSABLE_ANSWER
    assert len(booth.oracle.asked) == 2
    assert (booth.ledger.claims, booth.notebook.recorded) == ({}, {})


def test_the_second_time_single_bad_claims_are_passed_over() -> None:
    booth = Booth(oracle=Oracle([said({"quote": "x"}, FERRIES)]))
    assert handled(booth) is Outcome.CHECKED
    assert (len(booth.ledger.claims), len(booth.oracle.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("guardrail_intervened", WindowFailure.GUARDRAIL),
        ("content_filtered", WindowFailure.FILTERED),
        ("model_context_window_exceeded", WindowFailure.TOO_LARGE),
    ],
)
def test_what_would_be_stopped_again_is_not_asked_again(stop: str, expected: WindowFailure) -> None:
    booth = Booth(oracle=Oracle([(said(FERRIES), stop)]))
    assert handled(booth) is Outcome.FAILED
    assert failure(booth) is expected
    assert len(booth.oracle.asked) == 1


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ({}, WindowFailure.TRANSCRIPT_GONE),
        ({(KEY, "v2"): b"Hi there."}, WindowFailure.TRANSCRIPT_GONE),
        ({(KEY, "v1"): b"\xff\xfe"}, WindowFailure.TRANSCRIPT_UNREADABLE),
    ],
)
def test_a_window_that_is_not_there_is_recorded_as_failed(
    objects: dict[tuple[str, str], bytes], expected: WindowFailure
) -> None:
    booth = Booth(shelf=Shelf(objects))
    assert handled(booth) is Outcome.FAILED
    assert failure(booth) is expected
    assert not booth.oracle.asked


@pytest.mark.parametrize("count", [1, 3])
def test_a_window_that_is_cut_otherwise_here_is_no_failure_of_the_transcripts(count: int) -> None:
    """It comes again, and whoever has mended the deployment has it worked on."""
    booth = Booth()
    with pytest.raises(OtherWindows):
        handled(booth, bodies(count=count)[0])
    assert (booth.ledger.ended, booth.oracle.asked) == ({}, [])
    assert handled(booth, bodies(sizes=WindowSizes(1_000, 60_000, 10), count=1)[0]) is Outcome.CHECKED


def test_throttling_is_waited_out() -> None:
    booth = Booth(oracle=Oracle([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, said(FERRIES)]))
    booth.notebook.faults = [ServiceFault.THROTTLED]
    assert handled(booth) is Outcome.CHECKED
    assert booth.waits == [0.5, 0.5, 1]


def test_what_does_not_pass_in_time_goes_back_to_the_queue() -> None:
    booth = Booth(oracle=Oracle([ServiceFault.THROTTLED]))
    with pytest.raises(ServiceFailed):
        handled(booth)
    assert booth.at <= 1_000 + REMAINING_MS / 1000 - 58, "there was time for an answer after each pause"
    assert not booth.ledger.ended
    assert not booth.notebook.recorded


def test_an_answer_has_the_time_that_the_setting_gives_it() -> None:
    slow = Booth(answer_seconds=112)
    with pytest.raises(ServiceFailed):
        handled(slow, remaining_ms=119_000)
    assert not slow.oracle.asked
    assert handled(Booth(answer_seconds=110), remaining_ms=119_000) is Outcome.CHECKED


def test_what_never_passes_goes_back_at_once() -> None:
    booth = Booth(oracle=Oracle([ServiceFault.REFUSED]))
    with pytest.raises(ServiceFailed):
        handled(booth)
    assert (len(booth.oracle.asked), booth.waits, booth.ledger.ended) == (1, [], {})


def test_findings_are_not_kept_before_the_exchange_is_recorded() -> None:
    booth = Booth(oracle=Oracle([said(FERRIES)]))
    booth.notebook.faults = [None, ServiceFault.REFUSED]
    with pytest.raises(ServiceFailed):
        handled(booth)
    assert not booth.ledger.claims


@pytest.mark.parametrize("body", ["", "canary", "{}", '{"schemaVersion": 1, "owner": "canary"}', "[]"])
def test_what_is_no_message_is_raised_without_what_it_says(body: str) -> None:
    with pytest.raises(NoMessage) as caught:
        handled(Booth(), body or " ")
    assert caught.value.__context__ is None
    assert "canary" not in str(caught.value)


def test_one_message_of_several_goes_back_alone() -> None:
    booth = Booth(oracle=Oracle([ServiceFault.REFUSED, said(LARGEST)]))
    records = [{"messageId": f"m{at}", "body": body} for at, body in enumerate([*bodies(), "canary"])]
    answer = booth.worker().batch({"Records": records}, lambda: REMAINING_MS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert len(booth.ledger.ended) == 1


def test_tokens_of_every_answer_are_logged_and_nothing_that_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    booth = Booth(
        oracle=Oracle(
            [text("canary"), said(FERRIES, claim("canary fleet"), clips=[CLIP, {**CLIP, "startMs": 1_000_000}])]
        )
    )
    booth.notebook.recalled = [RECALLED, MemoryEvent("1#c", "canary")]
    records = [{"messageId": "m", "body": bodies()[0]}, {"messageId": "n", "body": '{"canary": 1}'}]
    booth.worker().batch({"Records": records}, lambda: REMAINING_MS)
    booth.ledger.broken = True
    booth.worker().batch({"Records": [{"messageId": "m", "body": bodies()[1]}]}, lambda: REMAINING_MS)
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answered = [one for one in logged if one["message"] == "model_answered"]
    assert [(one["input_tokens"], one["output_tokens"], one["cache_read_tokens"]) for one in answered] == [
        (100, 10, 1_000)
    ] * 3
    (checked,) = (one for one in logged if one["message"] == "window_checked")
    assert (checked["claims"], checked["invented"], checked["clips"], checked["bad_clips"]) == (1, 1, 1, 1)
    assert [one["error_type"] for one in logged if one["message"] == "window_returned"] == ["NoMessage", "RuntimeError"]
    for secret in ("canary", "ferries", RECALLED.text, KEY, EPISODE, RECALLED.event_id):
        assert secret not in json.dumps(logged)
