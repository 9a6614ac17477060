"""Test of the promise that no utterance is lost or shown twice, whatever fails and in whatever order.

A state machine plays a client, its connections, the router and the audio processor. An utterance is a few seconds of
speech. Invocations are killed at any call, delivered twice, or never. Connections die with and without notice. While an
invocation runs, anything else may happen at any of its calls. The client does what docs/transcription.md demands: it
sends each utterance that is not done again, each time with a higher attempt.

After each step, an utterance that the client holds for done is shown exactly once, and nothing is shown twice. In the
end, when nothing fails any more, each utterance is done, unless three attempts at it failed.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from handlers.common.json_models import Message
from handlers.transcription.audio_processor.stream import StreamFailureCode
from handlers.transcription.audio_processor.utterance_attempt import MAX_FAILURES
from handlers.transcription.messages import ProcessorEvent
from local.flows.transcription_client import Screen
from tests.handlers.transcription.router_harness import (
    LIMITS,
    STREAM_END,
    TranscriptionHarness,
    final_at,
    partial_at,
)

OUTCOME = st.sampled_from(["good", "silent end", "dropped", "dropped after a partial", "throttled", "later"])
"""Script of Amazon Transcribe. With `later`, the event waits."""
CALL = st.integers(1, 20)
"""Number of a moment before or after a call of an invocation. Most invocations have fewer calls."""
EVENT = st.sampled_from(["nothing", "reconnect", "silent death", "send again", "long pause", "run another", "kill"])


class Killed(BaseException):
    """The invocation is killed. No code may catch this."""


class AttemptsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        logging.disable()  # Every failure is logged, and there are too many.
        self.pending_calls: list[tuple[int, Callable[[], None]]] = []
        """For each running invocation, the calls until something happens, and that event."""
        self.harness = TranscriptionHarness(level="ERROR", on_call=self.on_call)
        self.harness.transcribe.before_open = self.on_call
        self.harness.clients.after_post = self.deliver
        self.screen = Screen()
        self.attempts: dict[str, int] = {}
        self.done: set[str] = set()
        self.given_up: set[str] = set()
        self.silent: set[str] = set()
        """Utterances of which an attempt recognised nothing."""
        self.connection_count = 0
        self.reconnect()

    @property
    def connection(self) -> str:
        return f"c{self.connection_count}"

    def on_call(self) -> None:
        """Count a call of the innermost invocation, and let something happen if it is time."""
        if not self.pending_calls:
            return
        calls, event = self.pending_calls.pop()
        self.pending_calls.append((calls - 1, event))
        if calls == 1:
            event()

    @rule()
    def reconnect(self) -> None:
        self.harness.clients.gone.add(self.connection)
        self.connection_count += 1
        self.harness.open_session(self.connection)
        self.is_connected = True

    @rule(outcome=OUTCOME, call=CALL, event=EVENT)
    def speak(self, outcome: str, call: int, event: str) -> None:
        name = f"u{len(self.attempts) + 1}"
        self.attempts[name] = 0
        self.send(name)
        self.process_last(outcome, call, event)

    @precondition(lambda self: self.open_utterances)
    @rule(data=st.data(), router_call=CALL, router_event=EVENT, outcome=OUTCOME, call=CALL, event=EVENT)
    def send_again(
        self, data: st.DataObject, router_call: int, router_event: str, outcome: str, call: int, event: str
    ) -> None:
        name = data.draw(st.sampled_from(self.open_utterances))
        self.run(router_call, router_event, lambda: self.send(name))
        self.process_last(outcome, call, event)

    @rule(seconds=st.sampled_from([1, 4, 13, 30]))
    def wait(self, seconds: int) -> None:
        self.harness.clock.now_ms += seconds * 1_000

    @precondition(lambda self: self.harness.events)
    @rule(data=st.data(), outcome=OUTCOME, call=CALL, event=EVENT)
    def process_any(self, data: st.DataObject, outcome: str, call: int, event: str) -> None:
        """Process an event that waits, or an event that was processed before and is delivered twice."""
        processor_event = data.draw(st.sampled_from(self.harness.events))
        self.run(call, event, lambda: self.invoke(processor_event, outcome))

    def process_last(self, outcome: str, call: int, event: str) -> None:
        if self.harness.events and outcome != "later":
            processor_event = self.harness.events[-1]
            self.run(call, event, lambda: self.invoke(processor_event, outcome))

    @property
    def open_utterances(self) -> list[str]:
        return sorted(self.attempts.keys() - self.done - self.given_up)

    def send(self, name: str) -> None:
        """Send an utterance as the client does, and apply the answer."""
        if not self.is_connected:
            return
        self.attempts[name] += 1
        answer = self.harness.send_utterance(name, self.attempts[name], self.connection)
        if answer["type"] == "error":
            assert answer["code"] == "BUSY", answer
        elif self.is_connected:
            self.receive(answer)

    def invoke(self, event: ProcessorEvent, outcome: str) -> None:
        result, words = f"{event.utterance}-{event.attempt}", f"Words of {event.utterance}."
        partial = partial_at(300, words, result)
        if outcome == "silent end":
            self.silent.add(event.utterance)
        script: Any = {
            "good": [partial, final_at(1_100, words, result), STREAM_END],
            "silent end": [STREAM_END],
            "dropped": StreamFailureCode.BROKEN,
            "dropped after a partial": [partial, (500, StreamFailureCode.BROKEN)],
            "throttled": StreamFailureCode.THROTTLED,
            "later": StreamFailureCode.BROKEN,
        }[outcome]
        self.harness.transcribe.scripts[:] = [script]
        self.harness.process_event(event)

    def run(self, call: int, event: str, invocation: Callable[[], None]) -> None:
        """Run an invocation, at one of whose calls something happens."""
        depth = len(self.pending_calls)
        self.pending_calls.append((call, lambda: self.happen(event)))
        try:
            invocation()
        except Killed:
            pass
        finally:
            del self.pending_calls[depth:]

    def happen(self, event: str) -> None:
        """Let something happen while an invocation waits for the answer to a call."""
        scripts, self.harness.transcribe.scripts = self.harness.transcribe.scripts, []
        self.pending_calls.append((0, lambda: None))  # the calls of others do not count for the waiting invocation
        match event:
            case "reconnect":
                self.reconnect()
            case "silent death":
                self.is_connected = False  # API Gateway still accepts messages for the client, but none arrives
            case "send again":
                for name in self.open_utterances:
                    self.send(name)
            case "long pause":
                self.harness.clock.now_ms += 30_000
                for name in self.open_utterances:
                    self.send(name)
            case "run another" if self.harness.events:
                self.invoke(self.harness.events[-1], "good")
            case "kill":
                self.pending_calls.pop()
                raise Killed
        self.pending_calls.pop()
        self.harness.transcribe.scripts = scripts

    def deliver(self, connection: str, _message: Message) -> None:
        """Pass a message that API Gateway has accepted to the client, unless the connection is dead."""
        if connection == self.connection and self.is_connected:
            self.receive(self.harness.clients.inbox[connection][-1])

    def receive(self, message: dict[str, Any]) -> None:
        """Apply a message of the service, as the client does."""
        self.screen.apply(message)
        name = message["utterance"]
        if message["type"] == "failed":
            assert message["retryable"] or self.attempts[name] >= MAX_FAILURES
            self.given_up |= set() if message["retryable"] else {name}
        elif message["type"] == "done" or message.get("done"):
            (self.given_up if message.get("failed") else self.done).add(name)

    @invariant()
    def nothing_that_is_done_is_lost_and_nothing_is_shown_twice(self) -> None:
        lines = Counter(self.screen.text())
        assert not lines or max(lines.values()) == 1, lines
        for name in self.done:
            assert name in self.silent or lines[f"Words of {name}."] == 1, f"{name} is lost"
            assert all(line["final"] for line in self.screen.lines.values() if line["utterance"] == name)

    @invariant()
    def slots_are_limited(self) -> None:
        assert len(self.harness.session(self.connection).list_in_progress()) <= LIMITS.in_flight

    def teardown(self) -> None:
        """Let nothing fail any more. Then each utterance is done after a few attempts."""
        logging.disable(logging.NOTSET)
        self.reconnect()
        for _ in range(2 * len(self.attempts) + 2):
            self.harness.clock.now_ms += 30_000
            self.harness.events.clear()
            for name in self.open_utterances:
                self.send(name)
            for event in self.harness.events:
                self.invoke(event, "good")
        assert self.open_utterances == []
        self.nothing_that_is_done_is_lost_and_nothing_is_shown_twice()


def test_no_words_are_lost_or_shown_twice() -> None:
    run_state_machine_as_test(AttemptsMachine, settings=settings(stateful_step_count=25, deadline=None))
