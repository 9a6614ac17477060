"""What the agent remembers: events of AgentCore's memory, by actor (the owner) and session (the episode).

It decides what an exchange looks like as an event, and how much of the past is looked at. Events are there at once;
what the service's strategies draw from them takes a minute or two, and into which namespaces is the deployment's
affair.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service
from handlers.livestream.agent.model_request import MAX_MEMORIES, MemoryEvent

RECALLED = 2 * MAX_MEMORIES
"""Events that are looked at: some may be of the window itself, of an earlier upload, or without words."""
MAX_TEXT = 100_000
"""Characters that an event takes in one piece."""
WINDOW = "window"
"""The metadata that says which window an event is of."""
HEARD, FOUND = "USER", "ASSISTANT"
"""Who says what in an exchange: the window its words, and the agent what it found in them."""


class AgentMemory:
    """One memory, with ListEvents and CreateEvent alone."""

    def __init__(self, client: Any, memory_id: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._memory_id = memory_id
        self._now = now

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        """The latest events of a session, the oldest of them first; raises ServiceFailed.

        The service lists the newest first, so that one page of them is enough.
        """
        try:
            found = call_service(
                self._client.list_events,
                memoryId=self._memory_id,
                actorId=actor,
                sessionId=session,
                includePayloads=True,
                maxResults=RECALLED,
            )["events"]
        except ServiceFailed as error:
            if error.fault is not ServiceFault.MISSING:
                raise
            # Nothing was recorded in this session yet. A memory that is not there at all shows when something is.
            return ()
        return sorted((_event(one) for one in found), key=_when)

    def record(self, actor: str, session: str, window_id: str, asked: str, answered: str) -> None:
        """Records an exchange, once however often it is told; raises ServiceFailed."""
        turns = ((HEARD, asked), (FOUND, answered))
        call_service(
            self._client.create_event,
            memoryId=self._memory_id,
            actorId=actor,
            sessionId=session,
            eventTimestamp=self._now(),
            payload=[{"conversational": {"role": role, "content": {"text": text[:MAX_TEXT]}}} for role, text in turns],
            clientToken=window_id,
            metadata={WINDOW: {"stringValue": window_id}},
        )


def _when(event: MemoryEvent) -> tuple[str, str]:
    """Ids begin with a number that grows, and so tell events of one second apart, which timestamps do not."""
    number, _, rest = event.event_id.partition("#")
    return number.zfill(20), rest


def _event(event: Mapping[str, Any]) -> MemoryEvent:
    turns = [one["conversational"] for one in event.get("payload", ()) if "conversational" in one]
    # What was found first: a window's words alone may be more than the model is told of an event.
    turns.sort(key=lambda one: one["role"] != FOUND)
    text = "\n".join(turn["content"].get("text", "") for turn in turns)
    return MemoryEvent(event["eventId"], text, event.get("metadata", {}).get(WINDOW, {}).get("stringValue"))
