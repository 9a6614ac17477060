"""Gateway of the fact-check agent's memory, Amazon Bedrock AgentCore memory, with requests of a valid form.

For each analyzed window of a transcript, it stores an event with the window's text and its findings.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.livestream.fact_check_agent.memory import AgentMemory, MemoryEvent
from handlers.livestream.windows import WindowMessage
from tests.handlers.common.fakes import stubbed

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
MEMORY = "polyphony_dev_clipAgentMemory-0123456789"
EPISODE = "01HZXW3V9K8Q2M4N6P8R0T2V4X"
FIRST = WindowMessage(
    transcript_key=f"transcripts/everybody/{EPISODE}/{EPISODE}.srt",
    transcript_version="v1",
    index=0,
    count=2,
    window_characters=1_200,
)
OTHER = FIRST.model_copy(update={"index": 1}).window_id
SESSION = {"memoryId": MEMORY, "actorId": "everybody", "sessionId": EPISODE}


def event(event_id: str, window_id: str | None, findings: str, text: str = "") -> dict[str, Any]:
    """Return an event as AgentCore lists it."""
    turns = (("USER", text), ("ASSISTANT", findings))
    payload = [{"conversational": {"role": role, "content": {"text": turn}}} for role, turn in turns if turn]
    metadata = {} if window_id is None else {"metadata": {"window": {"stringValue": window_id}}}
    time = NOW + timedelta(seconds=int(event_id.partition("#")[0]))
    return {**SESSION, "eventId": event_id, "eventTimestamp": time, "payload": payload, **metadata}


def recall(*events: dict[str, Any]) -> tuple[MemoryEvent, ...]:
    """Return the memories for a request about the first window."""
    with stubbed("bedrock-agentcore") as (client, stubber):
        request = {**SESSION, "includePayloads": True}
        stubber.add_response("list_events", {"events": list(events), "nextToken": "more"}, request)
        return AgentMemory(client, MEMORY, lambda: NOW).recall(FIRST)


def test_the_latest_events_of_other_windows_are_recalled_oldest_first_and_cleaned() -> None:
    assert recall(
        event("9#cd", OTHER, "sec\u200bond", "a\nb"),
        event("10#ab", OTHER, "third", "window"),
        event("8#ef", FIRST.window_id, "own window"),
        event("7#ef", "of an earlier upload", "x"),
        event("6#ef", None, "x"),
        event("5#ef", OTHER, "\u200b"),
    ) == (MemoryEvent("9#cd", "second a b"), MemoryEvent("10#ab", "third window"))
    newest_first = [event(f"{number}#a", OTHER, "x") for number in range(12, 0, -1)]
    assert [memory.event_id for memory in recall(*newest_first)] == [f"{number}#a" for number in range(3, 13)]


def test_of_a_long_memory_the_findings_are_kept() -> None:
    [memory] = recall(event("1#a", OTHER, "The report has 410.", "ferries." * 10_000))
    assert memory.text.startswith("The report has 410. ferries")
    assert len(memory.text) == 4_000


def test_a_window_is_stored_with_the_window_id_as_client_token() -> None:
    expected = {
        **SESSION,
        "eventTimestamp": NOW,
        "payload": [
            {"conversational": {"role": "USER", "content": {"text": "x" * 100_000}}},
            {"conversational": {"role": "ASSISTANT", "content": {"text": "findings"}}},
        ],
        "clientToken": FIRST.window_id,
        "metadata": {"window": {"stringValue": FIRST.window_id}},
    }
    with stubbed("bedrock-agentcore") as (client, stubber):
        stubber.add_response("create_event", {"event": event("4#01", None, "")}, expected)
        AgentMemory(client, MEMORY, lambda: NOW).store(FIRST, "x" * 100_001, "findings")
