"""Utterances that failed and were spoken again: after any failures of streams and posts, their words are shown once."""

from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.transcribe_stream.stream_client import StreamFailureCode
from tests.handlers.transcription.processor_harness import (
    SESSION_ID,
    STREAM_END,
    ProcessorHarness,
    final_at,
    use_encoding,
)
from tests.handlers.transcription.router_harness import LIVE_TABLE_NAME, SESSION_TABLE_NAME

SAID = final_at(300, "Stop the motor now.", at_ms=600)
FAILURES = st.sampled_from(list(StreamFailureCode))
STREAMS = st.lists(
    st.one_of(
        FAILURES,
        st.tuples(st.tuples(st.just(300), FAILURES)),
        st.tuples(st.just(SAID), st.tuples(st.integers(350, 2_300), FAILURES)),
    ),
    max_size=6,
)
POSTS = st.lists(st.sampled_from(["arrives", "is lost", "arrives unanswered"]), max_size=3)
"""Result of each post of a caption. Later posts succeed."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 3)
@given(encoding=st.sampled_from(["pcm", "flac", "ogg-opus"]), streams=STREAMS, posts=POSTS)
@example(
    "ogg-opus",
    [*[StreamFailureCode.DROPPED] * 4, (SAID, (700, StreamFailureCode.DROPPED)), StreamFailureCode.DROPPED],
    [],
)
@example("flac", [(SAID, (350, StreamFailureCode.DROPPED)), StreamFailureCode.BAD_REQUEST], [])
@example("flac", [], ["is lost"] * 3)
@example("pcm", [], ["is lost"] * 3)
@example("flac", [], ["arrives unanswered"] * 3)
def test_words_of_a_failed_utterance_that_are_spoken_again_are_shown_exactly_once(
    dynamodb: Any, encoding: str, streams: list[Any], posts: list[str]
) -> None:
    """A line that was retracted or lost does not prevent the same words from being shown again. The speaker gets a message about the failure and repeats the
    words."""
    for item in dynamodb.scan(TableName=LIVE_TABLE_NAME)["Items"]:
        dynamodb.delete_item(TableName=LIVE_TABLE_NAME, Key={"pk": item["pk"]})
    dynamodb.delete_item(TableName=SESSION_TABLE_NAME, Key={"session_id": {"S": SESSION_ID}})
    processor = ProcessorHarness(dynamodb, [*streams, *[(SAID, STREAM_END)] * 8])
    left = list(posts)

    def lose(_connection: str, message: Any) -> None:
        if message.type == "caption" and left[:1] == ["is lost"]:
            left.pop(0)
            raise ReadTimeoutError(endpoint_url="x")

    def leave_unanswered(_connection: str, message: Any) -> None:
        if message.type == "caption" and left and left.pop(0) == "arrives unanswered":
            raise ReadTimeoutError(endpoint_url="x")

    def speak(utterance: str) -> None:
        while utterance not in processor.utterances.done:
            attempts = processor.take_slot(utterance).utterance_attempt
            with suppress(ReadTimeoutError):
                processor.invoke(utterance, utterance_attempt=attempts)
            processor.clock.now_ms = max(
                [processor.clock(), *(slot.wait_until_ms for slot in processor.utterances.resends)]
            )

    with pytest.MonkeyPatch.context() as patch:
        use_encoding(patch, encoding)
        processor.clients.before_post, processor.clients.after_post = lose, leave_unanswered
        speak("u1")
        if processor.utterances.failed:
            processor.scripts[:] = [(SAID, STREAM_END)]
            left.clear()
            speak("u2")
    assert processor.shown_lines() == ["Stop the motor now."]
