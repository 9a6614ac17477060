"""How utterances ended, and which are to be sent again, as the router tells with every answer."""

import pytest

from handlers.transcription.live_table import session_slots_key
from handlers.transcription.utterance_slots import SessionSlots
from tests.handlers.transcription.router_setup import Scene


def test_an_utterance_that_was_given_up_is_not_told_as_one_that_was_said(scene: Scene) -> None:
    """The message that said so may be lost: how it ended is told again."""
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


def test_an_utterance_that_rests_is_not_taken_sooner_and_each_answer_says_when(scene: Scene) -> None:
    """Whoever does not wait, as an older client, would ask for a stream as often as it is refused one."""
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


def test_an_end_that_its_client_has_not_heard_of_is_told_again_only_where_it_was_told(scene: Scene) -> None:
    """What was told over another connection may have gone nowhere: its words come again, or they are lost."""
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
def test_what_has_to_be_sent_again_holds_nowhere_once_its_client_has_moved(scene: Scene, taken: bool) -> None:
    """Its first words were told over a connection that may have been dead."""
    session = scene.opens("c1")
    scene.utters(session, "u1")
    scene.live.change(SessionSlots, session_slots_key(session), lambda flight: (flight.plan_resend("u1", 1, 700), None))
    assert scene.says("open", "c1", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 700}]
    if taken:
        scene.utters(session, "u1")
        assert scene.handed[-1].from_ms == 700, "it goes on, but nobody has begun to"
    scene.connect("c2")
    assert scene.says("open", "c2", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    scene.utters(session, "u1", "c2")
    assert scene.handed[-1].from_ms == 0
