"""Tests of what the router's answers report of utterances: their ends, and which of them the client must send again.

An utterance is a few seconds of speech. The audio processor reports its end in a message, but this message may be lost.
If the connection breaks, captions may be lost too. So the client lists the utterances whose end it has not received
(`unfinished`) when it opens the session again.

`fromMs` is the position from which the client must send an utterance again, and `waitMs` the time for which it must
wait before. `attempt` is the number of an attempt in the whole session, and `utterance_attempt` that among the counted
attempts at one utterance.
"""

import pytest

from tests.handlers.transcription.router_harness import RouterHarness


def test_every_answer_reports_an_utterance_that_was_given_up_as_done_and_failed(router: RouterHarness) -> None:
    session = router.open_session()
    router.send_utterance(session, "u1")
    router.send_utterance(session, "u2")
    router.change_utterances(
        session, lambda utterances: utterances.finish("u1", attempt=1, failed=True).finish("u2", attempt=2)
    )
    for answer in (router.send("ping", sessionId=session), router.send("open", sessionId=session)):
        assert (answer["done"], answer["failed"]) == (["u1", "u2"], ["u1"])
    first, second = router.send_utterance(session, "u1"), router.send_utterance(session, "u2")
    assert (first["done"], first["failed"]) == (True, True)
    assert (second["done"], second["failed"]) == (True, False)


def test_an_utterance_that_must_wait_is_refused_and_each_answer_states_the_wait(router: RouterHarness) -> None:
    """A client that does not wait, for example because it is older than this rule, would use a stream each time."""
    session = router.open_session()
    router.send_utterance(session, "u1")
    wait_until_ms = router.clock() + 3_000
    router.change_utterances(
        session,
        lambda utterances: utterances.plan_resend(
            "u1", attempt=1, from_ms=0, wait_until_ms=wait_until_ms, is_counted=False
        ),
    )
    router.clock.now_ms += 1_000
    resends = [{"utterance": "u1", "fromMs": 0, "waitMs": 2_000}]
    assert router.send_utterance(session, "u2")["resend"] == resends
    assert router.send("ping", sessionId=session)["resend"] == resends
    assert router.send("open", sessionId=session)["resend"] == resends
    event_count = len(router.processor_events)
    assert router.send_utterance(session, "u1")["code"] == "BUSY"
    assert len(router.processor_events) == event_count
    router.clock.now_ms = wait_until_ms
    assert router.send("ping", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    assert router.send_utterance(session, "u1")["type"] == "accepted"
    assert router.processor_events[-1].utterance_attempt == 1, "the attempt before was not counted"


def test_an_utterance_whose_end_the_client_missed_is_repeated_on_a_new_connection(router: RouterHarness) -> None:
    """On the same connection, only the end is reported again. With the old connection, captions may have been lost."""
    session = router.open_session("c1")
    for utterance in ("u1", "u2"):
        router.send_utterance(session, utterance)
    router.change_utterances(
        session, lambda utterances: utterances.finish("u1", attempt=1).finish("u2", attempt=2, failed=True)
    )
    answer = router.send("open", "c1", sessionId=session, unfinished=["u2", "u3"])
    assert (answer["done"], answer["failed"], answer["resend"]) == (["u1", "u2"], ["u2"], [])
    router.connect("c2")
    answer = router.send("open", "c2", sessionId=session, unfinished=["u2", "u3"])
    assert (answer["done"], answer["failed"]) == (["u1"], [])
    assert answer["resend"] == [{"utterance": "u2", "fromMs": 0}]
    answer = router.send_utterance(session, "u2", "c2")
    assert (answer["repeated"], answer["done"]) == (False, False)
    assert router.processor_events[-1].utterance_attempt == 2


@pytest.mark.parametrize("is_sent_again", [False, True])
def test_on_a_new_connection_an_utterance_is_transcribed_again_from_its_beginning(
    router: RouterHarness, is_sent_again: bool
) -> None:
    """The captions before `fromMs` may have been lost with the old connection, even if they were sent."""
    session = router.open_session("c1")
    router.send_utterance(session, "u1")
    router.change_utterances(session, lambda utterances: utterances.plan_resend("u1", attempt=1, from_ms=700))
    assert router.send("open", "c1", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 700}]
    if is_sent_again:
        router.send_utterance(session, "u1")
        assert router.processor_events[-1].from_ms == 700, "opening on `c2` cancels this attempt before its start"
    router.connect("c2")
    assert router.send("open", "c2", sessionId=session)["resend"] == [{"utterance": "u1", "fromMs": 0}]
    router.send_utterance(session, "u1", "c2")
    assert router.processor_events[-1].from_ms == 0
