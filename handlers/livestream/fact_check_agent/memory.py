"""Access to the fact-check agent's memory in Amazon Bedrock AgentCore Memory.

The agent is the Lambda function `fact-check-agent`. It asks a model about each window (section) of a transcript. Then it
stores the window's text and findings (fact claims and clips) as one memory event. A request about another window of the
same transcript contains the latest of these events, so the model can compare statements that are far apart.

AgentCore stores events by actor and session. Here the actor is the owner of the episode, and the session is the
episode. An event can be read as soon as it is stored. AgentCore also derives memory records from the events, such as
summaries, but only after a minute or two, so this module does not read them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from handlers.common.text import clean_text
from handlers.livestream.windows import WindowMessage

MAX_MEMORIES = 10
"""Maximum number of memories in a request to the model. A memory is an event in the form in which a request has it."""
MAX_MEMORY_CHARACTERS = 4_000
"""Maximum length of a memory. It consists of the findings of a window and then the window's text. If it is too long, its
end is cut off, so it first loses text of the window."""
MAX_EVENT_CHARACTERS = 100_000
"""Maximum length of one text in an event, which AgentCore prescribes."""
WINDOW_METADATA = "window"
"""Metadata key under which an event has the id of its window."""


class MemoryEvent(NamedTuple):
    """Memory of one window, as a request contains it. The model names `event_id` if the memory is a source of a claim."""

    event_id: str
    text: str


class AgentMemory:
    """Gateway for the events in the memory."""

    def __init__(self, client: Any, memory_id: str, now: Callable[[], datetime]) -> None:
        """`client` is boto3's `bedrock-agentcore` client."""
        self._client = client
        self._memory_id = memory_id
        self._now = now

    def recall(self, window: WindowMessage) -> tuple[MemoryEvent, ...]:
        """Return the latest memories for a request about a window, the oldest first, cleaned and truncated.

        Only events of other windows of the same transcript are returned. Events of the window itself, or of an earlier
        upload of the transcript, may contain the very claim that the model now finds, and the model could then name them
        as a source of that claim.
        """
        try:
            # The service lists the newest events first, twenty on each page, so the first page has enough of them.
            events = self._client.list_events(
                memoryId=self._memory_id,
                actorId=window.transcript.owner,
                sessionId=window.transcript.episode_id,
                includePayloads=True,
            )["events"]
        except self._client.exceptions.ResourceNotFoundException:
            # The session has no event yet, or no memory exists. If no memory exists, the error appears in `store`.
            return ()
        # A window id is "<episode>-<upload>-<number of the window>", so the ids of one transcript have the same prefix.
        transcript_prefix = window.window_id.rpartition("-")[0]
        memories = [
            MemoryEvent(event["eventId"], clean_text(_to_memory_text(event)[:MAX_MEMORY_CHARACTERS]))
            for event in sorted(events, key=lambda event: event["eventTimestamp"])
            if _window_id(event) != window.window_id and _window_id(event).rpartition("-")[0] == transcript_prefix
        ]
        return tuple([memory for memory in memories if memory.text][-MAX_MEMORIES:])

    def store(self, window: WindowMessage, transcript_text: str, findings_text: str) -> None:
        """Store a window's text and findings as one event.

        The window id is the client token of the call, so AgentCore stores a window only once.
        """
        # AgentCore's events are turns of a conversation, so the window is the question and its findings the answer.
        turns = (("USER", transcript_text), ("ASSISTANT", findings_text))
        self._client.create_event(
            memoryId=self._memory_id,
            actorId=window.transcript.owner,
            sessionId=window.transcript.episode_id,
            eventTimestamp=self._now(),
            payload=[
                {"conversational": {"role": role, "content": {"text": text[:MAX_EVENT_CHARACTERS]}}}
                for role, text in turns
            ],
            clientToken=window.window_id,
            metadata={WINDOW_METADATA: {"stringValue": window.window_id}},
        )


def _window_id(event: Mapping[str, Any]) -> str:
    """Return the id of the window that an event was stored for, or an empty text if it has none."""
    return str(event.get("metadata", {}).get(WINDOW_METADATA, {}).get("stringValue", ""))


def _to_memory_text(event: Mapping[str, Any]) -> str:
    texts = [item["conversational"]["content"]["text"] for item in event["payload"]]
    # `store` puts the findings last. Here they come first, because the end of a long text is cut off.
    return "\n".join(reversed(texts))
