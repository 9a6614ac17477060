"""What an agent is asked and answers: nothing of it shows where it should not."""

import pytest

from handlers.voice_qa.query_worker.agent.agent_types import (
    AudioFormat,
    AudioPiece,
    CitationPiece,
    Lecture,
    Question,
    SpokenQuery,
    TextPiece,
    TranscriptPiece,
    Turn,
    WrittenQuery,
    opaque,
)

SECRET = "canary-7d1f"


def test_no_words_sound_or_address_is_in_a_representation() -> None:
    lecture = Lecture("lecture", SECRET, "mp3", 1)
    shown = [
        Question("query", opaque("session"), lecture, SpokenQuery(SECRET, "webm"), (Turn(SECRET, SECRET),)),
        Question("query", opaque("session"), lecture, WrittenQuery(SECRET)),
        TextPiece(SECRET),
        AudioPiece(SECRET.encode(), AudioFormat.OGG_OPUS),
        CitationPiece(0, 1, SECRET),
        TranscriptPiece(SECRET),
    ]
    assert SECRET not in repr(shown)


def test_a_session_is_opaque_and_always_the_same() -> None:
    assert opaque("one") == opaque("one") != opaque("other")
    assert "identity" not in opaque("identity")
    assert len(opaque("one")) == 64


@pytest.mark.parametrize("length", [0, 32, 257])
def test_a_session_that_no_agent_could_take_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="33 to 256"):
        Question("query", "s" * length, Lecture("lecture", "url", "mp3", 1), WrittenQuery("text"))
