"""Ends and pending resends of utterances, as the router reports them with every answer."""

import pytest

from handlers.transcription.live_table import session_slots_key
from handlers.transcription.utterance_slots import SessionSlots
from tests.handlers.transcription.router_setup import Scene


def test_an_utterance_that_was_given_up_is_reported_as_failed(scene: Scene) -> None:
    """The processor's message may be lost, so every answer reports the end."""
    session = scene.opens()
    scene.utters(session, "u1")
    scene.utters(session, "u2")

    def end(flight: SessionSlots) -> tuple[SessionSlots, None]:
        return flight.finish("u1", 1, failed=True).finish("u2", 2), None

    scene.live.change(SessionSlots, session_slots_key(session), end)
    for answer in (scene.says("ping", sessionId=session), scene.says("open", sessionId=session)):
        assert (answer["done"], answer["failed"]) == (["u1", "u2"], ["u1"])
    assert [(one["done"], one["failed"]) for one in (scene.utters(session, "u1"), scene.utters(session, "u2"))] == [
        (True, True),
        (True, False),
    ]
    scene.connect("c2")
    moved = scene.says("open", "c2", sessionId=session, unfinished=["u1"])
    assert (moved["done"], moved["failed"], moved["resend"]) == (["u2"], [], [{"utterance": "u1", "fromMs": 0}])


def test_an_utterance_that_must_wait_is_refused_and_each_answer_states_the_wait(scene: Scene) -> None:
    """A client that does not wait, such as an older one, would request a stream each time."""
    session = scene.opens()
    scene.utters(session, "u1")
    until = scene.clock() + 3_000
    scene.live.change(
        SessionSlots, session_slots_key(session), lambda flight: (flight.plan_resend("u1", 1, 0, until), None)
    )
    scene.clock.now_ms += 1_000
    rests = [{"utterance": "u1", "fromMs": 0, "waitMs": 2_000}]
    assert scene.utters(session, "u2")["resend"] == rests
    assert scene.says("ping", sessionId=session)["resend"] == scene.says("open", sessionId=session)["resend"] == rests
    handed = len(scene.handed)
    assert scene.utters(session, "u1")["code"] == "BUSY"
    assert len(scene.handed) == handed
    scene.clock.now_ms = until
    assert scene.says("ping", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    assert scene.utters(session, "u1")["type"] == "accepted"
    assert scene.handed[-1].attempts == 1


def test_an_end_that_the_client_missed_is_reported_only_on_the_same_connection(scene: Scene) -> None:
    """Messages on another connection may be lost, so the utterance must be transcribed again."""
    session = scene.opens("c1")
    for utterance in ("u1", "u2"):
        scene.utters(session, utterance)
    scene.live.change(
        SessionSlots, session_slots_key(session), lambda flight: (flight.finish("u1", 1).finish("u2", 2), None)
    )
    known = scene.says("open", "c1", sessionId=session, unfinished=["u2", "u3"])
    assert (known["done"], known["resend"]) == (["u1", "u2"], [])
    scene.connect("c2")
    moved = scene.says("open", "c2", sessionId=session, unfinished=["u2", "u3"])
    assert (moved["done"], moved["resend"]) == (["u1"], [{"utterance": "u2", "fromMs": 0}])
    again = scene.utters(session, "u2", "c2")
    assert (again["repeated"], again["done"]) == (False, False)
    assert scene.handed[-1].attempts == 2


@pytest.mark.parametrize("taken", [False, True])
def test_pending_resends_start_at_0_once_the_client_has_moved(scene: Scene, taken: bool) -> None:
    """Its first captions were sent over a connection that may have been dead."""
    session = scene.opens("c1")
    scene.utters(session, "u1")
    scene.live.change(SessionSlots, session_slots_key(session), lambda flight: (flight.plan_resend("u1", 1, 700), None))
    assert scene.says("open", "c1", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 700}]
    if taken:
        scene.utters(session, "u1")
        assert scene.handed[-1].from_ms == 700, "the attempt continues an earlier one but has not started"
    scene.connect("c2")
    assert scene.says("open", "c2", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    scene.utters(session, "u1", "c2")
    assert scene.handed[-1].from_ms == 0
