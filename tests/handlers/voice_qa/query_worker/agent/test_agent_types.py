"""Questions to the agent and pieces of its answers: their representations contain no text, audio or URL."""

from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAudioPiece,
    AgentCitationPiece,
    AgentQuestion,
    AgentTextPiece,
    AgentTranscriptPiece,
    AnswerAudioFormat,
    Lecture,
    SpokenQuery,
    Turn,
    WrittenQuery,
    opaque_session_id,
)

SECRET = "canary-7d1f"


def test_no_text_audio_or_url_is_in_a_representation() -> None:
    lecture, session = Lecture("lecture", SECRET, "mp3", 1), opaque_session_id("session")
    representations = [
        AgentQuestion("query", session, lecture, SpokenQuery(SECRET, "webm"), (Turn(SECRET, SECRET),)),
        AgentQuestion("query", session, lecture, WrittenQuery(SECRET)),
        AgentTextPiece(SECRET),
        AgentAudioPiece(SECRET.encode(), AnswerAudioFormat.OGG_OPUS),
        AgentCitationPiece(0, 1, SECRET),
        AgentTranscriptPiece(SECRET),
    ]
    assert SECRET not in repr(representations)


def test_a_session_id_is_opaque_and_always_the_same() -> None:
    assert opaque_session_id("one") == opaque_session_id("one") != opaque_session_id("other")
    assert "identity" not in opaque_session_id("identity")
    assert len(opaque_session_id("one")) == 64
