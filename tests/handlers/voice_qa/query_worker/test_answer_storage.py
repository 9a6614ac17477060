"""Stored answers and conversations: their stored form, their limits, and items that a guest has changed.

A conversation is the list of a guest's earlier questions and answers about a lecture. A turn is one question with its
answer. IAM allows guests to read, and in some stacks to write, the items of their own conversations.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from handlers.voice_qa.messages import PIECES, AudioPiece, CitationPiece, Piece, TextPiece, TranscriptPiece
from handlers.voice_qa.query_worker.answer_storage import (
    CONTEXT_CHARACTERS,
    CONTEXT_TURNS,
    KEPT_TURNS,
    AudioBucket,
    Conversations,
)
from tests.handlers.common.fakes import START_MS, Clock
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE, LectureHarness

QUERY_ID = "query-number-1"
NAME = f"guest/{QUERY_ID}.1"
COMMON: dict[str, Any] = {"query_id": QUERY_ID, "attempt": 1}


@pytest.fixture
def answers(lectures: LectureHarness) -> AudioBucket:
    return AudioBucket(lectures.s3, BUCKET)


def audio(number: int, data: bytes, audio_format: str) -> AudioPiece:
    return AudioPiece(**COMMON, number=number, audio=base64.b64encode(data).decode(), format=audio_format)


@pytest.mark.parametrize(
    ("audio_format", "extension", "content_type"), [("mp3", "mp3", "audio/mpeg"), ("ogg-opus", "ogg", "audio/ogg")]
)
def test_an_answer_is_stored_as_it_was_sent_and_its_audio_is_one_file(
    answers: AudioBucket, lectures: LectureHarness, audio_format: str, extension: str, content_type: str
) -> None:
    pieces: list[Piece] = [
        TranscriptPiece(**COMMON, number=0, text="why\n\u2028?"),
        TextPiece(**COMMON, number=1, text='"€🐤'),
        audio(2, b"one", audio_format),
        CitationPiece(**COMMON, number=3, start_ms=0, end_ms=1, quote=""),
        audio(4, b"two", audio_format),
    ]
    keys = answers.put_answer(NAME, pieces)
    assert keys == (f"responses/{NAME}.jsonl", f"responses/{NAME}.{extension}")
    stored, spoken = (lectures.s3.get_object(Bucket=BUCKET, Key=key) for key in keys)
    lines = stored["Body"].read().split(b"\n")
    assert [PIECES.validate_json(line) for line in lines[:-1]] == pieces
    assert {"queryId", "attempt", "number", "type", "startMs", "endMs", "quote"} == {*json.loads(lines[3])}
    assert (spoken["Body"].read(), spoken["ContentType"]) == (b"onetwo", content_type)
    assert answers.put_answer(NAME, pieces[:2])[1] is None


KEY = {"sessionId": "us-east-1:guest#01M7W8GQNQY865WCQPRM59D2J7", "lectureId": "01M7W8GQNQY865WCQPRM59D2J8"}
STORED_KEY = {name: {"S": value} for name, value in KEY.items()}
EXPIRY = START_MS // 1000 + 7 * 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conversations(lectures: LectureHarness, clock: Clock) -> Conversations:
    return Conversations(lectures.dynamodb, TABLE, 7, clock)


@pytest.fixture
def read_item(lectures: LectureHarness) -> Callable[[], dict[str, Any]]:
    return lambda: lectures.dynamodb.get_item(TableName=TABLE, Key=STORED_KEY)["Item"]


def answered(conversations: Conversations) -> list[str]:
    """Return the answers of the turns that an agent gets."""
    return [turn.answer for turn in conversations.read_context(KEY)]


def test_an_item_has_the_form_that_guests_read(
    conversations: Conversations, read_item: Callable[[], dict[str, Any]]
) -> None:
    conversations.append(KEY, "query-0001", "Q", "A")
    conversations.append(KEY, "query-0001", "Q", "A stored turn is not written again.")
    assert "answer" not in repr(conversations.read(KEY)), "no log gets texts by accident"
    now = "2025-10-09T08:53:20.000Z"
    values = {"queryId": "query-0001", "question": "Q", "answer": "A", "at": now}
    item = read_item()
    assert item.pop("revision")
    assert item == STORED_KEY | {
        "conversation": {"L": [{"M": {name: {"S": value} for name, value in values.items()}}]},
        "totalTurns": {"N": "1"},
        "createdAt": {"S": now},
        "expiresAt": {"N": str(EXPIRY)},
    }


def test_a_conversation_expires_a_fixed_time_after_its_first_turn(
    conversations: Conversations, clock: Clock, read_item: Callable[[], dict[str, Any]]
) -> None:
    for number in range(4):
        conversations.append(KEY, f"query-{number:04}", "Q", str(number))
        clock.now_ms += 42 * 3_600_000 - 1_000
    assert answered(conversations) == ["0", "1", "2", "3"]
    assert read_item()["createdAt"] == {"S": "2025-10-09T08:53:20.000Z"}
    assert read_item()["expiresAt"] == {"N": str(EXPIRY)}
    clock.now_ms += 4_000
    assert answered(conversations) == [], "DynamoDB may delete an expired item days later"
    conversations.append(KEY, "query-0005", "Q", "new")
    assert answered(conversations) == ["new"]
    assert read_item()["createdAt"] == {"S": "2025-10-16T08:53:20.000Z"}
    assert read_item()["expiresAt"] == {"N": str(EXPIRY + 7 * 86_400)}


def test_an_item_of_the_largest_turns_fits_into_the_table(
    conversations: Conversations, read_item: Callable[[], dict[str, Any]]
) -> None:
    for number in range(KEPT_TURNS + 2):
        conversations.append(KEY, f"query-{number:04}", "€" * 50_000, f"{number:02}" + "🐤" * 100_000)
    item = read_item()
    assert (len(item["conversation"]["L"]), item["totalTurns"]) == (KEPT_TURNS, {"N": str(KEPT_TURNS + 2)})
    assert len(str(item).encode()) < 400_000, "DynamoDB refuses larger items"
    context = conversations.read_context(KEY)
    latest_numbers = range(KEPT_TURNS + 2)[-CONTEXT_TURNS:]
    assert [turn.answer[:2] for turn in context] == [f"{number:02}" for number in latest_numbers]
    assert {len(turn.answer) for turn in context} == {CONTEXT_CHARACTERS}


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        *(({name: {"S": "x"}}, ["B"]) for name in ("conversation", "totalTurns", "expiresAt")),
        *(({"createdAt": {"N": "1"}}, ["B"]), ({}, ["B"]), ({"revision": {"S": "r1"}}, ["A", "B"])),
    ],
)
def test_the_next_turn_replaces_an_item_in_another_form(
    conversations: Conversations, lectures: LectureHarness, changes: dict[str, Any], answers: list[str]
) -> None:
    """Guests may write these items in some stacks. An item without a revision is not the worker's."""
    turn = {"queryId": "query-0001", "question": "Q", "answer": "A", "at": "2026-01-01T00:00:00.000Z"}
    written = {
        "conversation": {"L": [{"M": {name: {"S": value} for name, value in turn.items()}}]},
        "totalTurns": {"N": "7"},
        "createdAt": {"S": turn["at"]},
        "expiresAt": {"N": str(EXPIRY)},
    }
    lectures.dynamodb.put_item(TableName=TABLE, Item=STORED_KEY | written | changes)
    assert answered(conversations) == answers[:-1]
    conversations.append(KEY, "query-0002", "Q", "B")
    assert answered(conversations) == answers
