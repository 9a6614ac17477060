"""Gateway for the agent's memory (Amazon Bedrock AgentCore), in which the agent looks up its earlier windows.

Each analyzed window of a transcript is one event with its text and findings. Events are stored by actor (the owner) and
session (the episode), and are available at once. AgentCore also derives memory records from the events after a minute
or two. This module does not read those.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service
from handlers.livestream.fact_check_agent.model_request import MAX_MEMORIES, MemoryEvent

MAX_RECALLED_EVENTS = 2 * MAX_MEMORIES
"""Number of events to read. It exceeds `MAX_MEMORIES`, because some events may be of the same window, of an earlier
upload, or without text."""
MAX_EVENT_CHARACTERS = 100_000
"""Maximum length of one text in an event."""
WINDOW_METADATA = "window"
"""Metadata key under which an event has the id of its window."""
TRANSCRIPT_ROLE, FINDINGS_ROLE = "USER", "ASSISTANT"
"""Conversation roles of an event: the user part has the text of the window, the assistant part the findings."""


class AgentMemory:
    """Reads and creates events of one memory; the only operations used are ListEvents and CreateEvent."""

    def __init__(self, client: Any, memory_id: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._memory_id = memory_id
        self._now = now

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        """Return the latest events of a session, the oldest first. Raise ServiceFailed if the call fails.

        One page is enough, because the service lists the newest events first.
        """
        try:
            events = call_service(
                self._client.list_events,
                memoryId=self._memory_id,
                actorId=actor,
                sessionId=session,
                includePayloads=True,
                maxResults=MAX_RECALLED_EVENTS,
            )["events"]
        except ServiceFailed as error:
            if error.fault is not ServiceFault.MISSING:
                raise
            # The session has no event yet. If the memory itself does not exist, `store_exchange` raises.
            return ()
        return sorted((_to_memory_event(event) for event in events), key=_event_order)

    def store_exchange(
        self, actor: str, session: str, window_id: str, transcript_text: str, findings_text: str
    ) -> None:
        """Store a window's text and findings as one event. Raise ServiceFailed if the call fails.

        The window id is the client token, so a repeated call creates no second event.
        """
        turns = ((TRANSCRIPT_ROLE, transcript_text), (FINDINGS_ROLE, findings_text))
        call_service(
            self._client.create_event,
            memoryId=self._memory_id,
            actorId=actor,
            sessionId=session,
            eventTimestamp=self._now(),
            payload=[
                {"conversational": {"role": role, "content": {"text": text[:MAX_EVENT_CHARACTERS]}}}
                for role, text in turns
            ],
            clientToken=window_id,
            metadata={WINDOW_METADATA: {"stringValue": window_id}},
        )


def _event_order(event: MemoryEvent) -> tuple[str, str]:
    """Return a sort key. Event ids start with an increasing number, which also orders the events of the same second."""
    number, _, suffix = event.event_id.partition("#")
    return number.zfill(20), suffix


def _to_memory_event(event: Mapping[str, Any]) -> MemoryEvent:
    turns = [item["conversational"] for item in event.get("payload", ()) if "conversational" in item]
    # Findings first, because the text of the window may fill the length to which a memory is cut.
    turns.sort(key=lambda turn: turn["role"] != FINDINGS_ROLE)
    text = "\n".join(turn["content"].get("text", "") for turn in turns)
    return MemoryEvent(event["eventId"], text, event.get("metadata", {}).get(WINDOW_METADATA, {}).get("stringValue"))
