"""Property test: words that are spoken again after their utterance failed are shown exactly once.

An utterance is a few seconds of speech. Streams of Amazon Transcribe fail, and posts of captions to the client fail.
"""

from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.stream import StreamFailureCode
from tests.handlers.transcription.processor_harness import (
    SESSION_ID,
    STREAM_END,
    ProcessorHarness,
    final_at,
    use_encoding,
)
from tests.handlers.transcription.router_harness import LIVE_TABLE_NAME, SESSION_TABLE_NAME

WORDS = "Stop the motor now."
FINAL = final_at(300, WORDS, at_ms=600)
"""Step of a stream that delivers the words as a final. They end with the utterance, after one second."""
FAILURES = st.sampled_from(list(StreamFailureCode))
STREAMS = st.lists(
    st.one_of(
        FAILURES,
        st.tuples(st.tuples(st.just(300), FAILURES)),
        st.tuples(st.just(FINAL), st.tuples(st.integers(350, 2_300), FAILURES)),
    ),
    max_size=6,
)
"""Script of each stream: it fails to open, fails after 300 ms, or delivers the final and fails later. Later streams
succeed."""
POSTS = st.lists(st.sampled_from(["succeeds", "is lost", "arrives without a response"]), max_size=3)
"""Result of each post of a caption. Later posts succeed."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 3)
@given(encoding=st.sampled_from(["pcm", "flac", "ogg-opus"]), streams=STREAMS, posts=POSTS)
@example(
    "ogg-opus",
    [*[StreamFailureCode.BROKEN] * 4, (FINAL, (700, StreamFailureCode.BROKEN)), StreamFailureCode.BROKEN],
    [],
)
@example("flac", [(FINAL, (350, StreamFailureCode.BROKEN)), StreamFailureCode.REJECTED], [])
@example("flac", [], ["is lost"] * 3)
@example("pcm", [], ["is lost"] * 3)
@example("flac", [], ["arrives without a response"] * 3)
def test_words_of_a_failed_utterance_that_are_spoken_again_are_shown_exactly_once(
    dynamodb: Any, encoding: str, streams: list[Any], posts: list[str]
) -> None:
    """A line that was removed or lost must not prevent the same words from being shown again. If the utterance is given
    up, the speaker gets an error and repeats the words in another utterance."""
    for item in dynamodb.scan(TableName=LIVE_TABLE_NAME)["Items"]:
        dynamodb.delete_item(TableName=LIVE_TABLE_NAME, Key={"pk": item["pk"]})
    dynamodb.delete_item(TableName=SESSION_TABLE_NAME, Key={"session_id": {"S": SESSION_ID}})
    processor = ProcessorHarness(dynamodb, [*streams, *[(FINAL, STREAM_END)] * 8])
    remaining_posts = list(posts)

    def fail_before_arrival(_connection: str, message: Any) -> None:
        if message.type == "caption" and remaining_posts[:1] == ["is lost"]:
            remaining_posts.pop(0)
            raise ReadTimeoutError(endpoint_url="x")

    def fail_after_arrival(_connection: str, message: Any) -> None:
        if message.type == "caption" and remaining_posts and remaining_posts.pop(0) == "arrives without a response":
            raise ReadTimeoutError(endpoint_url="x")

    def send_until_ended(utterance: str) -> None:
        while utterance not in processor.utterances.done:
            with suppress(ReadTimeoutError):
                processor.process_utterance(utterance=utterance)
            wait_ends_ms = [resend.wait_until_ms for resend in processor.utterances.resends]
            processor.clock.now_ms = max([processor.clock(), *wait_ends_ms])

    with pytest.MonkeyPatch.context() as patch:
        use_encoding(patch, encoding)
        processor.clients.before_post, processor.clients.after_post = fail_before_arrival, fail_after_arrival
        send_until_ended("u1")
        if processor.utterances.failed:
            processor.scripts[:] = [(FINAL, STREAM_END)]
            remaining_posts.clear()
            send_until_ended("u2")
    assert processor.shown_lines() == [WORDS]
