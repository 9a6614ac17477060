"""Stored answers: stored as they were sent, and validated when they are read.

An answer consists of numbered pieces, which are the lines of one object. Its audio is also stored as an audio file.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.voice_qa.query_worker import answer_store as module
from handlers.voice_qa.query_worker.answer_store import AnswerNotStored, AnswerStore
from handlers.voice_qa.websocket_messages import AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, LectureHarness

GUEST_ID, QUERY_ID = "us-east-1:guest", "query-number-1"
OBJECT_NAME = f"responses/{GUEST_ID}/{QUERY_ID}.1"
LINE: dict[str, Any] = {"type": "text", "queryId": QUERY_ID, "attempt": 1, "number": 0, "text": "a"}


def audio(number: int, data: bytes, audio_format: str = "mp3") -> AudioPiece:
    encoded = base64.b64encode(data).decode()
    return AudioPiece(query_id=QUERY_ID, attempt=1, number=number, audio=encoded, format=audio_format)


@pytest.fixture
def answers(lectures: LectureHarness) -> AnswerStore:
    return AnswerStore(lectures.s3, BUCKET)


def put_lines(lectures: LectureHarness, *lines: object) -> None:
    """Store an answer's object. Each line is either bytes or a JSON value."""
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    lectures.s3.put_object(Bucket=BUCKET, Key=f"{OBJECT_NAME}.jsonl", Body=body)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONTENTS = st.lists(
    st.tuples(st.sampled_from(["text", "transcript", "citation"]), TEXTS)
    | st.tuples(st.just("audio"), st.binary(max_size=20)),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(contents=CONTENTS)
def test_a_stored_answer_is_read_back_as_it_was_sent(answers: AnswerStore, contents: list[tuple[str, Any]]) -> None:
    kinds: dict[str, Callable[[int, Any], Piece]] = {
        "text": lambda number, text: TextPiece(query_id=QUERY_ID, attempt=1, number=number, text=text),
        "transcript": lambda number, text: TranscriptPiece(query_id=QUERY_ID, attempt=1, number=number, text=text),
        "citation": lambda number, text: CitationPiece(
            query_id=QUERY_ID, attempt=1, number=number, start_ms=0, end_ms=1, quote=text
        ),
        "audio": audio,
    }
    pieces = [kinds[kind](number, value) for number, (kind, value) in enumerate(contents)]
    answers.put(GUEST_ID, QUERY_ID, 1, pieces)
    assert answers.get(GUEST_ID, QUERY_ID, 1) == tuple(pieces)


@pytest.mark.parametrize(
    ("audio_format", "extension", "content_type"), [("mp3", "mp3", "audio/mpeg"), ("ogg-opus", "ogg", "audio/ogg")]
)
def test_the_spoken_answer_is_one_file(
    answers: AnswerStore, lectures: LectureHarness, audio_format: str, extension: str, content_type: str
) -> None:
    pieces = (audio(0, b"one", audio_format), audio(1, b"two", audio_format))
    answers.put(GUEST_ID, QUERY_ID, 1, pieces)
    audio_file = lectures.s3.get_object(Bucket=BUCKET, Key=f"{OBJECT_NAME}.{extension}")
    assert (audio_file["Body"].read(), audio_file["ContentType"]) == (b"onetwo", content_type)
    url = answers.audio_url(GUEST_ID, QUERY_ID, 1, pieces)
    assert url is not None
    assert f"{QUERY_ID}.1.{extension}" in url


def test_an_answer_without_audio_has_one_object(answers: AnswerStore, lectures: LectureHarness) -> None:
    pieces = [TextPiece(query_id=QUERY_ID, attempt=1, number=0, text="a")]
    answers.put(GUEST_ID, QUERY_ID, 1, pieces)
    [stored_object] = lectures.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert stored_object["Key"] == f"{OBJECT_NAME}.jsonl"
    assert answers.audio_url(GUEST_ID, QUERY_ID, 1, pieces) is None


def test_a_missing_answer_and_a_failing_bucket_raise_different_errors(
    answers: AnswerStore, lectures: LectureHarness
) -> None:
    with pytest.raises(AnswerNotStored):
        answers.get(GUEST_ID, QUERY_ID, 1)
    with pytest.raises(ClientError):
        AnswerStore(lectures.s3, "no-such-bucket").get(GUEST_ID, QUERY_ID, 1)


@pytest.mark.parametrize(
    "lines",
    [
        *([b"\xff\xfe"], [b"{"], [[]], [LINE, LINE]),
        *([LINE | changes] for changes in ({"type": "answered"}, {"number": 1}, {"queryId": "another-query"})),
        *([LINE | changes] for changes in ({"attempt": 2}, {"text": 1})),
        [LINE | {"type": "audio", "audio": "QQ==", "format": "exe"}],
        [
            LINE | {"type": "audio", "audio": "QQ==", "format": "mp3"},
            LINE | {"type": "audio", "number": 1, "audio": "QQ==", "format": "ogg-opus"},
        ],
    ],
)
def test_an_invalid_object_is_not_a_stored_answer(
    answers: AnswerStore, lectures: LectureHarness, lines: list[object]
) -> None:
    put_lines(lectures, *lines)
    with pytest.raises(AnswerNotStored) as raised:
        answers.get(GUEST_ID, QUERY_ID, 1)
    assert str(raised.value) == "", "the object may contain text of the answer"


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", len(json.dumps(LINE))), ("MAX_MESSAGES", 1)])
def test_an_object_above_the_limit_is_not_a_stored_answer(
    answers: AnswerStore, lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """If the object were read only up to the limit, its first line would be a valid answer."""
    monkeypatch.setattr(module, limit, value)
    put_lines(lectures, LINE, LINE | {"number": 1})
    with pytest.raises(AnswerNotStored):
        answers.get(GUEST_ID, QUERY_ID, 1)
