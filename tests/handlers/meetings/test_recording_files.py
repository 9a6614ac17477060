"""Tests of `complete.json`, which lists the chunks of a recording, and of the content, a hash over these chunks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.meetings.recording_files import CompleteFile

CHUNK = {"name": "a.webm", "bytes": 1, "sha256": "0" * 64}


def encoded_file(**changed: Any) -> bytes:
    content = {"schemaVersion": 1, "title": "T", "startedAt": "2026-01-31T10:00:00.000Z", "chunks": [CHUNK]}
    return json.dumps({**content, **changed}).encode()


def test_the_order_of_chunks_is_part_of_the_content() -> None:
    chunks = [{**CHUNK, "name": f"{number}", "sha256": f"{number:064x}"} for number in range(3)]
    in_order = CompleteFile.model_validate_json(encoded_file(chunks=chunks))
    reversed_order = CompleteFile.model_validate_json(encoded_file(chunks=chunks[::-1]))
    assert in_order.content != reversed_order.content
    assert in_order.size == reversed_order.size == 3


def test_the_description_is_not_part_of_the_content_and_has_no_spaces_around_its_texts() -> None:
    description = {"title": " Weekly ", "participants": [" Ann"], "tags": ["team "], "language": "de-DE"}
    plain, described = (
        CompleteFile.model_validate_json(body) for body in (encoded_file(), encoded_file(**description))
    )
    assert plain.content == described.content
    assert (described.title, described.participants, described.tags) == ("Weekly", ("Ann",), ("team",))


@pytest.mark.parametrize(
    "body",
    [
        encoded_file(language="en-UK"),
        encoded_file(title="\ud800"),
        encoded_file(startedAt="2026-02-30T10:00:00.000Z"),
        encoded_file(startedAt="2026-01-31T10:00:00Z"),
        encoded_file(startedAt="\u0662\u0660\u0662\u0666-01-31T10:00:00.000Z"),
        encoded_file(startedAt="2026-01-31T10:00:00.000Z\n"),
        encoded_file(chunks=[CHUNK, CHUNK]),
        encoded_file(chunks=[{**CHUNK, "name": "complete.json"}]),
        encoded_file(chunks=[{**CHUNK, "name": "../a"}]),
        encoded_file(chunks=[{**CHUNK, "name": "a\n"}]),
        encoded_file(chunks=[{**CHUNK, "sha256": "G" * 64}]),
    ],
)
def test_a_malformed_file_is_rejected(body: bytes) -> None:
    with pytest.raises(ValidationError):
        CompleteFile.model_validate_json(body)


@pytest.mark.parametrize(
    ("create", "minimum", "maximum"),
    [
        (lambda length: {"title": "a" * length}, 1, 200),
        (lambda length: {"participants": ["a" * length]}, 1, 100),
        (lambda length: {"tags": ["a" * length]}, 1, 50),
        (lambda count: {"participants": ["a"] * count}, 0, 100),
        (lambda count: {"tags": ["a"] * count}, 0, 50),
        (lambda count: {"chunks": [{**CHUNK, "name": f"{number}"} for number in range(count)]}, 1, 5_000),
        (lambda length: {"chunks": [{**CHUNK, "name": "a" * length}]}, 1, 128),
        (lambda size: {"chunks": [{**CHUNK, "bytes": size}]}, 1, 5 * 1024**3),
    ],
)
def test_texts_lists_and_chunks_have_limited_sizes(
    create: Callable[[int], dict[str, Any]], minimum: int, maximum: int
) -> None:
    for size in (minimum, maximum):
        CompleteFile.model_validate_json(encoded_file(**create(size)))
    for size in (minimum - 1, maximum + 1)[not minimum :]:
        with pytest.raises(ValidationError):
            CompleteFile.model_validate_json(encoded_file(**create(size)))


@pytest.mark.parametrize("field", ["chunks", "participants", "tags"])
def test_many_invalid_entries_cause_few_errors(field: str) -> None:
    """Otherwise, the list of errors would have an entry for each invalid entry, and need too much memory."""
    with pytest.raises(ValidationError) as caught:
        CompleteFile.model_validate_json(encoded_file(**{field: [{}] * 10_000}))
    assert caught.value.error_count() < 10
