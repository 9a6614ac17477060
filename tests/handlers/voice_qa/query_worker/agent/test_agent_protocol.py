"""The agent protocol: the pieces of an answer, its limits, and invalid or hostile input.

The agent is the external service that answers questions. It sends each piece of an answer as a line of JSON.
"""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.query_worker.agent.agent_protocol import (
    MAX_AUDIO,
    MAX_BYTES,
    MAX_CITATIONS,
    MAX_LINE,
    MAX_TEXT,
    AnswerReader,
    request_body,
)
from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAudioPiece,
    AgentCitationPiece,
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentQuestion,
    AgentTextPiece,
    AgentTranscriptPiece,
    AnswerAudioFormat,
    Lecture,
    SpokenQuery,
    opaque_session_id,
)
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    CANARY,
    DONE,
    DURATION_MS,
    QUESTION,
    audio_message,
    citation_message,
    json_lines,
    text_message,
)

MESSAGES = [
    {"type": "transcript", "text": "what is a stream"},
    text_message("A stream "),
    audio_message(b"audio"),
    citation_message(0, DURATION_MS, "a stream is"),
    text_message("is."),
    DONE,
]
PIECES: list[AgentPiece] = [
    AgentTranscriptPiece("what is a stream"),
    AgentTextPiece("A stream "),
    AgentAudioPiece(b"audio", AnswerAudioFormat.OGG_OPUS),
    AgentCitationPiece(0, DURATION_MS, "a stream is"),
    AgentTextPiece("is."),
]


def read_pieces(*messages: dict[str, Any]) -> list[AgentPiece]:
    return list(AnswerReader(DURATION_MS).feed(json_lines(*messages)))


def error_code(data: bytes) -> AgentCode:
    with pytest.raises(AgentFailed) as failed:
        list(AnswerReader(DURATION_MS).feed(data))
    return failed.value.code


def test_each_line_becomes_a_piece_until_the_line_done() -> None:
    reader = AnswerReader(DURATION_MS)
    assert list(reader.feed(json_lines(*MESSAGES, text_message("more")))) == PIECES
    assert reader.done
    assert list(reader.feed(b"no json\n")) == []


@given(st.data())
def test_the_pieces_do_not_depend_on_the_division_of_the_bytes(choices: st.DataObject) -> None:
    data = json_lines(*MESSAGES)
    cuts = sorted(choices.draw(st.lists(st.integers(0, len(data)), max_size=20)))
    reader = AnswerReader(DURATION_MS)
    parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert [piece for part in parts for piece in reader.feed(part)] == PIECES
    assert reader.done


def test_lines_can_be_sent_as_server_sent_events() -> None:
    event = b": comment\r\nid: 1\r\nevent: message\r\ndata: %b\r\n"
    events = b"".join(event % json_lines(message).strip() for message in MESSAGES)
    assert list(AnswerReader(DURATION_MS).feed(events)) == PIECES
    event = b"retry: 1\ndata:" + json_lines(text_message("no space"))
    assert list(AnswerReader(DURATION_MS).feed(event)) == [AgentTextPiece("no space")]


def test_unknown_or_empty_messages_give_no_piece() -> None:
    assert read_pieces({"type": "waiting", "text": 1}, {**text_message("known"), "other": [1]}) == [
        AgentTextPiece("known")
    ]
    assert read_pieces(text_message(""), audio_message(b"")) == []
    assert list(AnswerReader(DURATION_MS).feed(b"\n\r\n  \n")) == []


@pytest.mark.parametrize(
    "data",
    [
        *(b"no json\n", b"[]\n", b"1\n", b"null\n", b'"text"\n', b"{}\n"),
        *(b'{"type": 1}\n', b'{"type": ["text"]}\n', b'{"error": 1}\n', b'{"type": 1, "error": "failed"}\n'),
        *(b'{"type": "text"}\n', b'{"type": "text", "text": 1}\n', b'{"type": "text", "text": "\\ud800"}\n'),
        *(b'{"type": "text", "text": "\xff"}\n', b'{"type": "text", "text": "a"\n'),
        '{"type": "text", "text": "a"}\n'.encode("utf-16-le").replace(b"\n\0", b"\n"),
        b"[" * 100_000 + b"\n",
        b'{"type": ' + b"9" * 5000 + b"}\n",
        b"data: data: {}\n",
        *(
            json_lines({"type": "audio", "audio": encoded_audio, "format": "ogg-opus"})
            for encoded_audio in (None, "a", "YQ==YQ==", "Y Q=", "\N{LATIN SMALL LETTER E WITH ACUTE}")
        ),
        *(json_lines({"type": "audio", "audio": "YQ==", "format": kind}) for kind in (None, "wma", ["mp3"])),
        *(json_lines(citation_message(start, end)) for start, end in ((0.5, 1), ("0", 1), (False, True))),
        json_lines({"type": "citation", "startMs": 0, "endMs": 1}),
    ],
)
def test_an_invalid_line_is_malformed(data: bytes) -> None:
    assert error_code(data) is AgentCode.MALFORMED


def test_all_audio_must_have_one_format() -> None:
    assert error_code(json_lines(audio_message(b"a"), audio_message(b"b", "mp3"))) is AgentCode.MALFORMED
    assert read_pieces(audio_message(b"a", "mp3"), audio_message(b"b", "mp3")) == [
        AgentAudioPiece(b"a", AnswerAudioFormat.MP3),
        AgentAudioPiece(b"b", AnswerAudioFormat.MP3),
    ]


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 1), (1, 1), (2, 1), (0, DURATION_MS + 1), (DURATION_MS, DURATION_MS + 1), (10**400, 1)]
)
def test_a_citation_outside_the_lecture_is_dropped_and_counted(start: int, end: int) -> None:
    reader = AnswerReader(DURATION_MS)
    data = json_lines(citation_message(start, end), citation_message(0, 1), DONE)
    assert list(reader.feed(data)) == [AgentCitationPiece(0, 1, "said")]
    assert reader.dropped_citations == 1
    assert reader.done


@pytest.mark.parametrize(
    ("message", "expected", "retryable"),
    [
        ({"code": "rejected", "retryable": False}, AgentCode.QUESTION_REJECTED, False),
        ({"code": "rejected", "retryable": True}, AgentCode.QUESTION_REJECTED, True),
        ({"code": "throttled"}, AgentCode.THROTTLED, True),
        ({"code": "unavailable", "retryable": "no"}, AgentCode.UNAVAILABLE, True),
        ({"code": "refused", "retryable": False}, AgentCode.FAILED, False),
        ({"code": CANARY}, AgentCode.FAILED, True),
        ({"code": ["rejected"]}, AgentCode.FAILED, True),
        ({}, AgentCode.FAILED, True),
        # The server of Bedrock AgentCore's own library ends an answer like this if its agent raised an exception.
        ({"type": None, "error": f"Throttled: {CANARY}", "error_type": "EventError"}, AgentCode.FAILED, True),
    ],
)
def test_an_agent_can_report_its_own_failure(message: dict[str, Any], expected: AgentCode, retryable: bool) -> None:
    reader = AnswerReader(DURATION_MS)
    assert list(reader.feed(json_lines(text_message("first")))) == [AgentTextPiece("first")]
    sent_message = {name: value for name, value in {"type": "error", **message}.items() if value is not None}
    with pytest.raises(AgentFailed) as failed:
        list(reader.feed(json_lines(sent_message)))
    assert (failed.value.code, failed.value.retryable) == (expected, retryable)
    assert CANARY not in repr(failed.value)


def padded_line(length: int) -> bytes:
    """Return a message of an unknown type with this number of bytes."""
    return json.dumps({"type": "other", "x": ""}).encode()[:-2] + b"x" * (length - 26) + b'"}'


@pytest.mark.parametrize("size", [1000, MAX_LINE * 2])
def test_the_length_of_a_line_is_limited(size: int) -> None:
    def feed_in_parts(data: bytes) -> list[AgentPiece]:
        reader = AnswerReader(DURATION_MS)
        return [piece for at in range(0, len(data), size) for piece in reader.feed(data[at : at + size])]

    assert len(padded_line(MAX_LINE)) == MAX_LINE
    assert feed_in_parts(padded_line(MAX_LINE) + b"\n" + json_lines(text_message("a"))) == [AgentTextPiece("a")]
    for too_long in (padded_line(MAX_LINE + 1) + b"\n", b"x" * (MAX_LINE + 1)):
        with pytest.raises(AgentFailed) as failed:
            feed_in_parts(too_long)
        assert failed.value.code is AgentCode.TOO_MUCH


def test_all_text_counts_towards_the_text_limit() -> None:
    # "é" has two bytes in UTF-8, so the four texts reach the limit. The second citation is dropped but counts.
    part = "é" * (MAX_TEXT // 2 // 4)
    transcript = {"type": "transcript", "text": part}
    messages = [
        text_message(part),
        transcript,
        citation_message(0, 1, part),
        citation_message(5, 4, part),
        text_message(""),
    ]
    assert len(read_pieces(*messages)) == 3
    assert error_code(json_lines(*messages, text_message("a"))) is AgentCode.TOO_MUCH


def test_the_amount_of_citations_and_audio_is_limited() -> None:
    assert len(read_pieces(*[citation_message(0, 1)] * MAX_CITATIONS)) == MAX_CITATIONS
    assert error_code(json_lines(citation_message(0, 1)) * (MAX_CITATIONS + 1)) is AgentCode.TOO_MUCH
    line = json_lines(audio_message(bytes(MAX_AUDIO // 128), "mp3"))
    assert sum(1 for _ in AnswerReader(DURATION_MS).feed(line * 128)) == 128
    assert error_code(line * 128 + json_lines(audio_message(b"a", "mp3"))) is AgentCode.TOO_MUCH


def test_the_total_size_is_limited() -> None:
    reader = AnswerReader(DURATION_MS)
    for _ in range(MAX_BYTES // MAX_LINE):
        assert list(reader.feed(padded_line(MAX_LINE - 1) + b"\n")) == []
    with pytest.raises(AgentFailed) as failed:
        list(reader.feed(b"\n"))
    assert failed.value.code is AgentCode.TOO_MUCH


def message_objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["text", "audio", "citation", "transcript", "error", "other"])
    names = st.sampled_from(["text", "audio", "format", "startMs", "endMs", "quote", "code", "retryable"])
    return st.builds(lambda kind, fields: {**fields, "type": kind}, kinds | values, st.dictionaries(names, values))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | message_objects(inner),
)


@given(st.lists(st.binary() | JSON.map(lambda item: json.dumps(item).encode()) | message_objects(JSON).map(json_lines)))
def test_any_bytes_give_valid_pieces_or_an_agent_failure(lines: list[bytes]) -> None:
    reader = AnswerReader(DURATION_MS)
    pieces: list[AgentPiece] = []
    with contextlib.suppress(AgentFailed):
        pieces.extend(piece for line in lines for piece in reader.feed(line + b"\n"))
    for piece in pieces:
        if isinstance(piece, AgentCitationPiece):
            assert 0 <= piece.start_ms < piece.end_ms <= DURATION_MS
        if isinstance(piece, AgentTextPiece):
            assert piece.text.encode()


def test_a_failure_contains_no_text_of_the_agent() -> None:
    messages: tuple[dict[str, Any], ...] = ({"type": "text", "text": [CANARY]}, {"type": "error", "code": CANARY})
    for data in (CANARY.encode(), *map(json_lines, messages)):
        with pytest.raises(AgentFailed) as failed:
            list(AnswerReader(DURATION_MS).feed(data + b"\n"))
        assert CANARY not in repr(failed.value)
        assert failed.value.__context__ is failed.value.__cause__ is None


def test_a_question_is_sent_as_the_protocol_defines() -> None:
    assert json.loads(request_body(QUESTION)) == {
        "schemaVersion": 1,
        "queryId": "query-1",
        "sessionId": opaque_session_id("us-east-1:identity#session"),
        "lecture": {
            "lectureId": "lecture-1",
            "url": "http://127.0.0.1/lecture?signature",
            "format": "mp3",
            "durationMs": DURATION_MS,
        },
        "query": {"text": "What is a stream?"},
        "conversation": [{"question": "Who speaks?", "answer": "Nobody."}],
        "language": "en-US",
    }

    question = AgentQuestion(
        "query", opaque_session_id("session"), Lecture("lecture", "url", "mp3", 1), SpokenQuery("query-url", "webm")
    )
    sent_request = json.loads(request_body(question))
    assert sent_request["query"] == {"url": "query-url", "format": "webm"}
    assert sent_request["conversation"] == []
