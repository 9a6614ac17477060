"""Ends and pending resends of utterances, as the router reports them with every answer."""

import pytest

from tests.handlers.transcription.router_harness import RouterHarness


def test_an_utterance_that_was_given_up_is_reported_as_failed(router: RouterHarness) -> None:
    """The processor's message may be lost, so every answer reports the end."""
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.send_utterance(session, "u2")
    router.change_utterances(session, lambda utterances: utterances.finish("u1", 1, failed=True).finish("u2", 2))
    for answer in (router.send("ping", sessionId=session), router.send("open", sessionId=session)):
        assert (answer["done"], answer["failed"]) == (["u1", "u2"], ["u1"])
    assert [
        (answer["done"], answer["failed"])
        for answer in (router.send_utterance(session, "u1"), router.send_utterance(session, "u2"))
    ] == [(True, True), (True, False)]
    router.connect("c2")
    moved = router.send("open", "c2", sessionId=session, unfinished=["u1"])
    assert (moved["done"], moved["failed"], moved["resend"]) == (["u2"], [], [{"utterance": "u1", "fromMs": 0}])


def test_an_utterance_that_must_wait_is_refused_and_each_answer_states_the_wait(router: RouterHarness) -> None:
    """A client that does not wait, such as an older one, would request a stream each time."""
    session = router.open_session()
    router.send_utterance(session, "u1")
    until = router.clock() + 3_000
    router.change_utterances(
        session, lambda utterances: utterances.plan_resend("u1", 1, 0, wait_until_ms=until, is_counted=False)
    )
    router.clock.now_ms += 1_000
    rests = [{"utterance": "u1", "fromMs": 0, "waitMs": 2_000}]
    assert router.send_utterance(session, "u2")["resend"] == rests
    assert router.send("ping", sessionId=session)["resend"] == router.send("open", sessionId=session)["resend"] == rests
    handed = len(router.processor_events)
    assert router.send_utterance(session, "u1")["code"] == "BUSY"
    assert len(router.processor_events) == handed
    router.clock.now_ms = until
    assert router.send("ping", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    assert router.processor_events[-1].utterance_attempt == 1


def test_an_end_that_the_client_missed_is_reported_only_on_the_same_connection(router: RouterHarness) -> None:
    """Messages on another connection may be lost, so the utterance must be transcribed again."""
    session = router.open_session("c1")
    for utterance in ("u1", "u2"):
        router.send_utterance(session, utterance)
    router.change_utterances(session, lambda utterances: utterances.finish("u1", 1).finish("u2", 2))
    known = router.send("open", "c1", sessionId=session, unfinished=["u2", "u3"])
    assert (known["done"], known["resend"]) == (["u1", "u2"], [])
    router.connect("c2")
    moved = router.send("open", "c2", sessionId=session, unfinished=["u2", "u3"])
    assert (moved["done"], moved["resend"]) == (["u1"], [{"utterance": "u2", "fromMs": 0}])
    again = router.send_utterance(session, "u2", "c2")
    assert (again["repeated"], again["done"]) == (False, False)
    assert router.processor_events[-1].utterance_attempt == 2


@pytest.mark.parametrize("taken", [False, True])
def test_pending_resends_start_at_0_once_the_client_has_moved(router: RouterHarness, taken: bool) -> None:
    """Its first captions were sent over a connection that may have been dead."""
    session = router.open_session("c1")
    router.send_utterance(session, "u1")
    router.change_utterances(session, lambda utterances: utterances.plan_resend("u1", 1, 700))
    assert router.send("open", "c1", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 700}]
    if taken:
        router.send_utterance(session, "u1")
        assert router.processor_events[-1].from_ms == 700, "the attempt continues an earlier one but has not started"
    router.connect("c2")
    assert router.send("open", "c2", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    router.send_utterance(session, "u1", "c2")
    assert router.processor_events[-1].from_ms == 0
