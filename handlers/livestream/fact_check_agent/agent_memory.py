"""Access to the fact-check agent's memory in Amazon Bedrock AgentCore Memory.

The agent is a Lambda function that calls a model. It analyzes a transcript in windows, which are sections small enough
for one model request. After each window, it stores the window's text and findings (fact claims and clips) as one memory
event. A request about another window of the same transcript contains the latest of these events, so the model can
compare statements that are far apart.

AgentCore stores events by actor and session. Here the actor is the owner of the episode, and the session is the
episode. An event can be read as soon as it is stored. AgentCore also derives memory records from the events, such as
summaries, but only after a minute or two, so this module does not read them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from handlers.common.aws import ServiceFailed, ServiceFault, call_service
from handlers.livestream.fact_check_agent.model_request import MAX_MEMORIES, MemoryEvent

MAX_RECALLED_EVENTS = 2 * MAX_MEMORIES
"""Number of events to read. It is more than `MAX_MEMORIES`, because `select_memories` drops the events of the same
window, those of an earlier upload of the transcript, and those without text."""
MAX_EVENT_CHARACTERS = 100_000
"""Maximum length of one text in an event."""
WINDOW_METADATA = "window"
"""Metadata key under which an event has the id of its window."""
TRANSCRIPT_ROLE = "USER"
"""Conversation role of the part of an event that has the text of the window."""
FINDINGS_ROLE = "ASSISTANT"
"""Conversation role of the part of an event that has the findings."""


class AgentMemory:
    def __init__(self, client: Any, memory_id: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._memory_id = memory_id
        self._now = now

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        """Return the latest events of a session, the oldest first. Return an empty sequence if there are none.

        One page is enough, because the service lists the newest events first. Raise ServiceFailed if the call fails.
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
            # The session has no event yet, or the memory does not exist. In the second case, `store_window` fails too.
            return ()
        return sorted((_to_memory_event(event) for event in events), key=_event_order)

    def store_window(self, actor: str, session: str, window_id: str, transcript_text: str, findings_text: str) -> None:
        """Store a window's text and findings as one event. Raise ServiceFailed if the call fails.

        The window id is the client token of the call, so AgentCore stores a window only once.
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
    """Return a sort key made of the event id, for example `0000001731#ab12`. The number in it increases with time."""
    number, _, suffix = event.event_id.partition("#")
    return number.zfill(20), suffix


def _to_memory_event(event: Mapping[str, Any]) -> MemoryEvent:
    turns = [item["conversational"] for item in event.get("payload", ()) if "conversational" in item]
    # Findings come first, because `select_memories` truncates the text, and a window's transcript may be very long.
    turns.sort(key=lambda turn: turn["role"] != FINDINGS_ROLE)
    text = "\n".join(turn["content"].get("text", "") for turn in turns)
    return MemoryEvent(event["eventId"], text, event.get("metadata", {}).get(WINDOW_METADATA, {}).get("stringValue"))
