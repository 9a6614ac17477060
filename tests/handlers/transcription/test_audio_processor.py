"""The processor from outside: an utterance comes, a stream goes by its script, the client gets messages."""

import hashlib
import hmac
import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.common.logging import hashed
from handlers.transcription.audio import Encoding, Utterance
from handlers.transcription.flight import Flight
from handlers.transcription.live import caption_key, flight_key
from handlers.transcription.live_table import Claim
from handlers.transcription.thresholds import SessionSettings
from handlers.transcription.transcribe import FailureCode
from handlers.transcription.transcribing import GRACE_MS, LAST_WORDS_MS, End
from local.flows.transcription import Screen
from tests.handlers.transcription.booth import SESSION, Booth
from tests.handlers.transcription.conftest import LIVE
from tests.handlers.transcription.stage import START_MS, Pace, Step, transcript

ENDED: Step = (1_200, None)


def partial(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    return when_ms, transcript(result_id, text, final=False, **more)


def final(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    return when_ms, transcript(result_id, text, final=True, **more)


@pytest.fixture
def booth(dynamodb: Any) -> Booth:
    made = Booth(dynamodb)
    made.open()
    return made


def test_captions_come_while_it_is_spoken_and_then_the_end(booth: Booth) -> None:
    assert (
        booth.hears(partial(300, "Hello"), partial(600, "Hello world"), final(1_100, "Hello world."), ENDED) is End.DONE
    )
    assert booth.said() == [("Hello", False), ("Hello world", False), ("Hello world.", True)]
    [done] = booth.said("done")
    assert (done["utterance"], done["finals"], done.get("fallback")) == ("u1", 1, None)


def test_a_caption_says_which_words_of_which_utterance_it_holds(booth: Booth) -> None:
    booth.hears(final(1_100, "Hello world.", at_ms=200), ENDED, utterance="u7", sequence=7)
    [caption] = booth.clients.of("c1", "caption")
    del caption["text"], caption["resultId"], caption["revision"]
    assert caption == {
        "type": "caption",
        "sessionId": SESSION,
        "utterance": "u7",
        "sequence": 7,
        "final": True,
        "startMs": 200,
        "endMs": 400,
        "stability": 1.0,
        "orphan": False,
    }


def test_audio_is_sent_at_the_pace_of_speech_and_ended(booth: Booth) -> None:
    booth.hears(final(1_100, "Hello."), ENDED)
    [stream] = booth.transcribe.conversations
    assert stream.sent_at == list(range(0, 1_000, 100))
    assert b"".join(stream.sent) == bytes(32_000)
    assert stream.finished_ms == 900, "with the last chunk, not a moment later"


def test_a_stream_is_asked_for_what_the_session_speaks(booth: Booth) -> None:
    booth.hears(ENDED)
    [request] = booth.transcribe.requests
    assert (request.language, request.sample_rate, request.encoding, request.stabilised) == (
        "en-US",
        16_000,
        "pcm",
        True,
    )


def test_the_place_is_given_back_and_the_utterance_not_taken_again(booth: Booth) -> None:
    booth.hears(final(1_100, "Hello."), ENDED)
    assert (booth.flight.places, booth.flight.done) == ((), ("u1",))


def test_a_second_call_for_the_same_utterance_does_nothing(booth: Booth) -> None:
    booth.hears(final(1_100, "Hello."), ENDED)
    assert booth.call() is None
    assert len(booth.said()) == 1


def test_an_utterance_that_was_given_up_is_left_alone(booth: Booth) -> None:
    booth.take("u1")
    booth.clock.now_ms += 20_000
    assert booth.call() is None
    assert booth.transcribe.requests == [], "its client may have sent it again already"


def test_a_session_that_is_not_there_costs_nothing(dynamodb: Any) -> None:
    booth = Booth(dynamodb)
    assert booth.call() is None
    assert booth.transcribe.requests == []


@pytest.mark.parametrize("failure", [FailureCode.THROTTLED, FailureCode.REFUSED, FailureCode.DROPPED])
def test_a_stream_that_cannot_be_opened_is_tried_again_for_finals_only(booth: Booth, failure: FailureCode) -> None:
    booth.scripts.append(failure)
    booth.hears(partial(300, "Hel"), final(1_100, "Hello."), ENDED)
    assert [one.stabilised for one in booth.transcribe.requests] == [True, False]
    assert booth.said() == [("Hello.", True)]
    assert booth.said("done")[0]["fallback"] == "stream_failed"
    assert booth.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_what_was_shown_of_a_stream_that_failed_is_taken_back_and_comes_again(booth: Booth) -> None:
    booth.scripts.append([partial(300, "Hello"), (400, FailureCode.DROPPED)])
    booth.hears(final(1_100, "Hello world.", "r9"), (1_150, None))
    assert [one["resultId"] for one in booth.said("retract")] == ["r1"]
    assert booth.said() == [("Hello", False), ("Hello world.", True)]


def test_a_second_stream_goes_on_after_the_last_final(booth: Booth) -> None:
    first = [final(700, "One.", at_ms=400), partial(800, "Two", "r2", at_ms=600), (900, FailureCode.DROPPED)]
    booth.scripts.append(first)
    booth.hears(final(600, "Two.", "r9", at_ms=100), (700, None))
    again = booth.transcribe.conversations[1]
    assert len(again.sent) == 5, "the first half is final"
    assert booth.said() == [("One.", True), ("Two", False), ("Two.", True)]
    [_, _, two] = booth.clients.of("c1", "caption")
    assert two["startMs"] == 600, "times count from the utterance's beginning"


def test_without_time_for_a_second_stream_the_client_sends_it_again(booth: Booth) -> None:
    steps = [final(900, "One.", at_ms=0), partial(2_000, "Two", "r2"), (2_300, FailureCode.DROPPED)]
    assert booth.hears(*steps, seconds=2.4) is End.BROKEN
    [told] = booth.said("resend")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 100}]
    assert len(booth.said("retract")) == 1
    assert booth.said("done") == []
    assert booth.flight.broken[0].from_ms == 100


def test_a_second_stream_that_fails_too_is_the_clients_to_send_again(booth: Booth) -> None:
    booth.scripts.append(FailureCode.THROTTLED)
    booth.scripts.append(FailureCode.THROTTLED)
    assert booth.hears() is End.BROKEN
    assert len(booth.said("resend")) == 1
    assert booth.flight.places == ()


def test_a_retried_utterance_shows_finals_only_from_where_its_captions_end(booth: Booth) -> None:
    booth.hears(partial(300, "T"), final(500, "Two.", at_ms=0), (600, None), from_ms=700, attempts=2)
    assert [one.stabilised for one in booth.transcribe.requests] == [False]
    assert len(booth.transcribe.conversations[0].sent) == 3
    assert booth.said() == [("Two.", True)]


def test_an_answer_that_is_no_transcript_counts_as_a_failed_stream(booth: Booth) -> None:
    booth.scripts.append([(200, b"{not json")])
    booth.hears(final(1_100, "Hello."), (1_150, None))
    assert booth.said() == [("Hello.", True)]
    assert booth.said("done")[0]["fallback"] == "stream_failed"


def test_a_stream_that_never_ends_is_cut_and_what_was_heard_is_shown(booth: Booth) -> None:
    assert booth.hears(partial(300, "Hello world")) is End.CUT
    assert booth.clock.now_ms - START_MS == 1_000 + GRACE_MS
    assert booth.said() == [("Hello world", False), ("Hello world", True)]
    assert booth.clients.of("c1", "caption")[-1]["orphan"]
    assert booth.cloudwatch.values["OrphanedResultsFlushed"] == 1
    assert booth.flight.done == ("u1",)


def test_less_time_than_the_utterance_needs_is_enough_to_say_so(booth: Booth) -> None:
    assert booth.hears(partial(300, "Hello"), seconds=2.4, remaining_ms=4_000) is End.BROKEN
    assert booth.clock.now_ms - START_MS == 1_000, "the rest is kept for the answer"
    assert len(booth.said("resend")) == 1
    assert len(booth.said("retract")) == 1, "half of the audio never got out: all of it comes again"


def test_a_stream_that_says_nothing_at_all_is_no_end(booth: Booth) -> None:
    """Silence has an end of its own: the service closes the stream."""
    assert booth.hears((9_999, None)) is End.BROKEN
    assert len(booth.said("resend")) == 1
    assert booth.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_silence_is_done(booth: Booth) -> None:
    assert booth.hears(ENDED) is End.DONE
    assert booth.said("done")[0]["finals"] == 0


def test_what_transcribe_can_do_nothing_with_is_not_sent_again(booth: Booth) -> None:
    booth.scripts.append(FailureCode.REJECTED)
    assert booth.hears() is End.REJECTED
    [told] = booth.said("error")
    assert (told["code"], told["utterance"]) == ("NOT_TRANSCRIBED", "u1")
    assert len(booth.transcribe.requests) == 1
    assert "TranscribeFallbackTriggered" not in booth.cloudwatch.values, "nobody is woken for a client's mistake"
    assert booth.flight.done == ("u1",)


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
def test_what_was_final_before_a_rejection_stays(booth: Booth, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Nothing of it will be said again."""
    spoken = Utterance(Encoding(encoding), 16_000, 1_000, (b"x",) * 10)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance", lambda *_: spoken)
    steps = [final(300, "One."), partial(600, "Two", "r2", at_ms=500), (700, FailureCode.REJECTED)]
    assert booth.hears(*steps) is End.REJECTED
    assert [one["resultId"] for one in booth.said("retract")] == ["r2"]
    assert booth.said("error")[0]["code"] == "NOT_TRANSCRIBED"


def test_the_third_attempt_is_the_last(booth: Booth) -> None:
    for attempt in (1, 2, 3):
        booth.scripts += [FailureCode.THROTTLED, FailureCode.THROTTLED]
        booth.hears(attempts=attempt)
    assert [len(booth.said(kind)) for kind in ("resend", "error")] == [2, 1]
    assert booth.flight.done == ("u1",)


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([partial(300, "Old"), final(1_100, "Old words."), ENDED], End.OVERTAKEN),
        ([partial(300, "Old"), ENDED], End.OVERTAKEN),
        ([ENDED], End.DONE),
        ([(200, FailureCode.REJECTED)], End.REJECTED),
    ],
)
def test_an_attempt_that_was_overtaken_says_nothing_more(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, steps: list[Step], end: End
) -> None:
    """It hung for so long that it was given up, and the client has sent the utterance again."""
    booth.take("u1")
    booth.scripts.append(steps)
    opened = booth.transcribe.open

    def overtaken(*given: Any) -> Any:
        booth.live.change(Flight, flight_key(SESSION), lambda flight: (flight.broke("u1", 1, 0), None))
        booth.live.change(Flight, flight_key(SESSION), lambda flight: (flight.offered("u1", START_MS * 2, 8)[0], None))
        return opened(*given)

    monkeypatch.setattr(booth.transcribe, "open", overtaken)
    assert booth.call() is end
    assert [one for one in booth.said() if one[1]] == []
    assert booth.said("done") + booth.said("resend") + booth.said("error") == []
    screen = Screen()
    for message in booth.clients.inbox.get("c1", []):
        screen.take(message)
    assert screen.text() == [], "nothing of it stays where the other attempt's captions will be"
    assert booth.flight.holds("u1", 2), "the other attempt has its place"


def test_captions_that_cannot_be_shown_in_time_are_sent_again_with_the_utterance(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = booth.clients.post

    def slow(connection: str, message: Any) -> bool:
        booth.clock.now_ms += 900 if message.type == "caption" else 0
        return post(connection, message)

    monkeypatch.setattr(booth.clients, "post", slow)
    finals = [final(200, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(6)]
    assert booth.hears(*finals, ENDED) is End.BROKEN
    assert booth.clock.now_ms - START_MS <= 1_000 + GRACE_MS + LAST_WORDS_MS + 900
    [told] = booth.said("resend")
    assert told["utterances"][0]["fromMs"] > 0, "what was shown as final holds"


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.one_of(
            st.sampled_from(list(FailureCode)),
            st.none(),
            st.builds(
                lambda which, final, text: transcript(f"r{which}", text, final=final),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from(["One", "One two", "Three.", "Four five"]),
            ),
            st.just(b"garbage"),
        ),
    ),
    max_size=12,
)


PACES = st.builds(
    Pace,
    opening_ms=st.tuples(*[st.sampled_from([0, 40, 400, 990, 9_999])] * 2),
    taking_ms=st.tuples(*[st.sampled_from([None, None, 0, 490, 900, 1_400, 2_400])] * 2),
    closing_ms=st.sampled_from([0, 2, 9_999]),
    calling_ms=st.sampled_from([0, 5, 20]),
)


SLOW = Pace(opening_ms=(0, 990), closing_ms=9_999, calling_ms=20)
"""As slow as each may be: the second stream, the peer's good-bye, and AWS' own services on a bad day."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EVENTS, second=EVENTS, seconds=st.sampled_from([0.2, 1.0, 2.5]), pace=PACES)
@example([final(2_400, f"Word {one}.", f"r{one}") for one in range(8)], [], 1.0, SLOW)
@example([partial(2_190, f"Word {one}", f"r{one}") for one in range(8)], [], 1.0, SLOW)
@example([(830, FailureCode.DROPPED)], [], 1.0, replace(SLOW, taking_ms=(None, 490)))
def test_no_invocation_outlives_its_audio_by_more_than_two_seconds(
    dynamodb: Any, first: list[Step], second: list[Step], seconds: float, pace: Pace
) -> None:
    """What a peer suffered that opened a stream for each piece of audio: 57 of 57 invocations ran into their timeout.

    Whatever Transcribe says or does not say, and however long it takes to; metrics and the answer included.
    """
    dynamodb.delete_item(TableName=LIVE, Key={"pk": {"S": flight_key(SESSION)}})
    dynamodb.delete_item(TableName="sessions", Key={"session_id": {"S": SESSION}})
    scripts = [sorted(one, key=lambda step: step[0]) for one in (first, second)]
    booth = Booth(dynamodb, scripts, pace=pace)
    booth.open()
    booth.take("u1")
    begun_ms = booth.clock.now_ms
    assert booth.call(seconds=seconds) in set(End)
    assert booth.clock.now_ms - begun_ms <= seconds * 1_000 + 2_000
    assert booth.flight.places == (), "whatever happened, the place is free again"
    ends = [*booth.said("done"), *booth.said("resend"), *booth.said("error")]
    assert len(ends) == 1, "and the client knows how it ended"


@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_audio_that_cannot_be_cut_is_sent_and_shown_again_from_its_beginning(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Its sentences may be cut otherwise the second time: what was final is taken back too."""
    spoken = Utterance(Encoding(encoding), 16_000, 1_000, (b"x",) * 10)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance", lambda *_: spoken)
    booth.scripts.append([final(300, "One two three.", at_ms=0), (350, FailureCode.DROPPED)])
    booth.hears(final(700, "One two.", "r8"), final(900, "Three four.", "r9", at_ms=300), (1_000, None))
    assert len(booth.transcribe.conversations[1].sent) == 10
    assert [one["resultId"] for one in booth.said("retract")] == ["r1"]
    assert booth.said() == [("One two three.", True), ("One two.", True), ("Three four.", True)]


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
@pytest.mark.parametrize("trouble", ["gone", "late", "ours"])
def test_whatever_breaks_an_utterance_off_each_caption_is_there_once_when_it_was_sent_again(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, encoding: str, trouble: str
) -> None:
    """Of audio that cannot be cut, all of it is heard again, so nothing of it may stay on display."""
    spoken = Utterance(Encoding(encoding), 16_000, 1_000, (b"x",) * 10)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance", lambda *_: spoken)
    post, count = booth.clients.post, 0

    def troubled(connection: str, message: Any) -> bool:
        nonlocal count
        count += message.type == "caption"
        match trouble:
            case "gone" if count == 2:
                booth.clients.gone.add("c1")
            case "late" if count >= 2:
                booth.clock.now_ms += 1_500
            case "ours" if count == 2 and message.type == "caption":
                raise ZeroDivisionError
        return post(connection, message)

    monkeypatch.setattr(booth.clients, "post", troubled)
    said = [("One.", 0), ("Two.", 500), ("Three.", 700)]
    with nullcontext() if trouble != "ours" else pytest.raises(ZeroDivisionError):
        booth.hears(*[final(300 + at, text, text, at_ms=at) for text, at in said], ENDED)
    monkeypatch.setattr(booth.clients, "post", post)
    booth.clients.gone.clear()
    [broken] = booth.flight.broken
    told = {"type": "resend", "utterances": [{"utterance": "u1", "fromMs": broken.from_ms}]}
    screen = Screen()
    for message in [*booth.clients.inbox["c1"], told]:
        screen.take(message)
    booth.clients.inbox.clear()
    heard_from_ms = broken.from_ms if encoding == "pcm" else 0
    again = [(text, at - heard_from_ms) for text, at in said if at >= heard_from_ms]
    steps = [final(200 + at, text, f"{text} again", at_ms=at) for text, at in again]
    assert booth.hears(*steps, ENDED, from_ms=broken.from_ms, attempts=2) is End.DONE
    for message in booth.clients.inbox["c1"]:
        screen.take(message)
    assert screen.text() == ["One.", "Two.", "Three."]


def test_lines_that_cannot_be_taken_away_in_time_are_the_clients_to_take_away(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so when it is told to send the utterance again, and from where on."""
    booth = Booth(dynamodb, pace=Pace(calling_ms=20))
    booth.open()
    spoken = Utterance(Encoding.FLAC, 16_000, 1_000, (b"x",) * 10)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance", lambda *_: spoken)
    finals = [final(40 * one, f"Word {one}.", f"r{one:02}", at_ms=10 * one) for one in range(30)]
    begun_ms = booth.clock.now_ms
    assert booth.hears(*finals, (2_400, FailureCode.DROPPED)) is End.BROKEN
    assert booth.clock.now_ms - begun_ms <= 1_000 + 2_000
    assert 0 < len(booth.said("retract")) < 30
    [told] = booth.said("resend")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_a_client_that_went_away_costs_no_more_streaming(booth: Booth) -> None:
    booth.clients.gone.add("c1")
    assert booth.hears(partial(300, "Hello"), final(1_100, "Hello."), ENDED) is End.GONE
    assert len(booth.transcribe.conversations[0].sent) < 10
    assert booth.flight.broken[0].utterance == "u1", "whoever comes back is told to send it again"


def test_a_client_that_came_back_on_another_connection_is_followed(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.take("u1")
    booth.scripts.append([final(1_100, "Hello."), ENDED])
    opened = booth.transcribe.open

    def moving(*given: Any) -> Any:
        booth.clients.gone.add("c1")
        booth.live.change(Flight, flight_key(SESSION), lambda flight: (flight.seen("c2", 0), None))
        return opened(*given)

    monkeypatch.setattr(booth.transcribe, "open", moving)
    assert booth.call() is End.DONE
    assert booth.said("caption", "c2") == [("Hello.", True)]
    assert len(booth.said("done", "c2")) == 1


def test_words_that_another_utterance_has_shown_are_not_shown_again(booth: Booth) -> None:
    booth.hears(final(1_100, "See you tomorrow."), ENDED, utterance="u1")
    booth.hears(final(1_100, "see you, tomorrow", "r2"), ENDED, utterance="u2")
    assert booth.said() == [("See you tomorrow.", True)]


def test_a_line_that_turns_into_what_another_utterance_shows_is_taken_away(booth: Booth) -> None:
    booth.hears(final(1_100, "See you tomorrow."), ENDED, utterance="u1")
    booth.hears(partial(300, "See", "r2"), final(1_100, "See you tomorrow.", "r2"), ENDED, utterance="u2")
    assert booth.said() == [("See you tomorrow.", True), ("See", False)]
    assert [one["resultId"] for one in booth.said("retract")] == ["r2"]


def test_a_final_takes_the_place_of_another_utterances_partial(booth: Booth) -> None:
    """Otherwise its words could be nowhere in the end: the partial may turn into something else."""
    booth.live.claim(key_of(booth, "hello"), Claim("u1", "r1", 3, final=False), 10)
    booth.hears(final(1_100, "Hello.", "r2"), ENDED, utterance="u2")
    [taken_back] = booth.said("retract")
    assert (taken_back["utterance"], taken_back["resultId"], taken_back["revision"]) == ("u1", "r1", 3)
    assert booth.said() == [("Hello.", True)]


def key_of(booth: Booth, words: str) -> str:
    session = booth.sessions.find(SESSION)
    assert session is not None
    return caption_key(SESSION, hmac.new(session.secret.encode(), words.encode(), hashlib.sha256).hexdigest())


def test_the_same_words_later_are_something_new(booth: Booth) -> None:
    booth.hears(final(1_100, "Yes."), ENDED, utterance="u1")
    booth.clock.now_ms += 10_000
    booth.hears(final(1_100, "Yes.", "r2"), ENDED, utterance="u2")
    assert booth.said() == [("Yes.", True), ("Yes.", True)]


def test_a_final_is_shown_even_when_nobody_can_say_whether_it_repeats(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bool:
        raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")

    monkeypatch.setattr(booth.live, "claim", refuse)
    booth.hears(partial(300, "Hel"), final(1_100, "Hello."), ENDED)
    assert booth.said() == [("Hello.", True)]


def test_a_session_without_partials_asks_for_none(dynamodb: Any) -> None:
    booth = Booth(dynamodb, settings=SessionSettings(partial_results_enabled=False))
    booth.open()
    booth.hears(partial(300, "Hel"), final(1_100, "Hello."), ENDED)
    assert [one.stabilised for one in booth.transcribe.requests] == [False]
    assert booth.said() == [("Hello.", True)]
    assert "TranscribeFallbackTriggered" not in booth.cloudwatch.values, "it is what was asked for"


@pytest.mark.parametrize(("partials", "attempts"), [(False, 1), (True, 2)])
def test_a_transcribe_that_fails_is_told_of_where_no_partials_were_wanted_too(
    dynamodb: Any, partials: bool, attempts: int
) -> None:
    """Otherwise nothing would ring while the flag is off, however long it fails."""
    booth = Booth(dynamodb, [FailureCode.THROTTLED] * 2, settings=SessionSettings(partial_results_enabled=partials))
    booth.open()
    assert booth.hears(attempts=attempts) is End.BROKEN
    assert booth.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_a_sessions_own_threshold_counts(dynamodb: Any) -> None:
    booth = Booth(dynamodb, settings=SessionSettings(min_stability_threshold=0.0))
    booth.open()
    booth.hears(partial(300, "Hello", stable=False), final(1_100, "Hello."), ENDED)
    assert booth.said()[0] == ("Hello", False)


def test_metrics_go_out_in_one_call_after_the_answer(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    put = booth.cloudwatch.put_metric_data
    answered: list[int] = []

    def watched(**call: Any) -> None:
        answered.append(len(booth.said("done")))
        put(**call)

    monkeypatch.setattr(booth.cloudwatch, "put_metric_data", watched)
    booth.hears(partial(300, "Hello"), final(1_100, "Hello."), ENDED)
    assert answered == [1]
    [call] = booth.cloudwatch.calls
    assert call["Namespace"] == "AudioTranscription/PartialResults"
    [latency] = call["MetricData"]
    assert (latency["MetricName"], latency["Unit"], sum(latency["Counts"])) == (
        "PartialResultProcessingLatency",
        "Milliseconds",
        2,
    )
    assert latency["Dimensions"] == [{"Name": "FunctionName", "Value": "processor"}]


def test_drops_are_counted(booth: Booth) -> None:
    booth.hears(
        *[partial(300 + number, f"word{number}", f"r{number}") for number in range(9)], (2_300, None), seconds=2
    )
    assert booth.cloudwatch.values["PartialResultsDropped"] >= 1


def test_metrics_that_cannot_be_sent_harm_nobody(booth: Booth) -> None:
    booth.cloudwatch.failing = ClientError({"Error": {"Code": "Throttling"}}, "PutMetricData")
    assert booth.hears(final(1_100, "Hello."), ENDED) is End.DONE
    assert len(booth.said("done")) == 1


def test_a_mistake_of_ours_frees_the_place_tells_the_client_and_is_an_error(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.transcription.transcribing.results_of", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        booth.hears(final(500, "Hello."), ENDED)
    assert len(booth.said("resend")) == 1
    assert booth.flight.places == ()


def test_a_sessions_orphans_are_in_the_log_beside_its_hash(booth: Booth, capsys: pytest.CaptureFixture[str]) -> None:
    """The alarm knows how many there were, the log whose they were."""
    booth.hears(partial(300, "One"), partial(400, "Two", "r2", at_ms=500), ENDED)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [ended] = [line for line in lines if line["message"] == "utterance_ended"]
    assert (ended["session_hash"], ended["orphans"]) == (hashed(SESSION), 2)
    assert booth.cloudwatch.values["OrphanedResultsFlushed"] == 2


def test_orphans_are_looked_for_while_the_stream_goes_on(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    booth = Booth(dynamodb, settings=SessionSettings(orphan_timeout=5))
    booth.open()
    spoken = Utterance(Encoding.FLAC, 16_000, 5_000, (b"x",) * 50)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance", lambda *_: spoken)
    shown: list[int] = []
    post = booth.clients.post

    def noted(connection: str, message: Any) -> bool:
        shown.append(booth.clock.now_ms - START_MS) if getattr(message, "orphan", False) else None
        return post(connection, message)

    monkeypatch.setattr(booth.clients, "post", noted)
    assert booth.hears(partial(300, "Hello"), (6_400, None)) is End.DONE
    assert shown == [5_300], "fifteen seconds are a setting; here it is the least"


def test_nothing_is_waited_for_longer_than_orphans_may_wait_for_a_look(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.transcription.transcribing.GRACE_MS", 60_000)
    booth.hears((16_000, None), seconds=0.2)
    assert max(booth.transcribe.conversations[0].waited_ms) == 5_000


def test_no_word_that_was_said_is_logged_or_stored(booth: Booth, capsys: pytest.CaptureFixture[str]) -> None:
    booth.hears(partial(300, "Canary"), final(1_100, "Canary sings."), ENDED)
    stored = json.dumps(booth.dynamodb.scan(TableName=LIVE)["Items"])
    logged = capsys.readouterr().out
    assert "utterance_ended" in logged
    for text in (stored, logged):
        assert "anary" not in text
        assert SESSION not in logged, "a session's id is as good as a name"
