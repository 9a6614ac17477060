"""Gateway of the fact-check agent's memory, Amazon Bedrock AgentCore memory.

For each analyzed window of a transcript, it stores an event with the window's text and its findings.
"""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.common.aws import ServiceFailed, ServiceFault
from handlers.livestream.fact_check_agent.agent_memory import MAX_EVENT_CHARACTERS, MAX_RECALLED_EVENTS, AgentMemory
from handlers.livestream.fact_check_agent.model_request import MemoryEvent, select_memories
from handlers.livestream.transcript_windows.environment import TranscriptWindowsEnvironment
from tests.handlers.scripted_clients import stubbed

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
MEMORY, ACTOR, SESSION = "polyphony_dev_clipAgentMemory-0123456789", "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X"
WINDOW_ID = "4c1f" * 8
LIST_REQUEST = {
    "memoryId": MEMORY,
    "actorId": ACTOR,
    "sessionId": SESSION,
    "includePayloads": True,
    "maxResults": MAX_RECALLED_EVENTS,
}


def event(event_id: str, *texts: str, **other_fields: Any) -> dict[str, Any]:
    """Return an event as AgentCore lists it."""
    payload = [{"conversational": {"role": "USER", "content": {"text": text}}} for text in texts]
    fields = {"memoryId": MEMORY, "actorId": ACTOR, "sessionId": SESSION, "eventId": event_id, "eventTimestamp": NOW}
    return {**fields, "payload": payload, **other_fields}


def test_recall_returns_the_latest_events_oldest_first() -> None:
    events = [
        event("10#ab", "third", metadata={"window": {"stringValue": "w"}}),
        event("9#cd", "second", "and more"),
        event("8#ef", payload=[{"blob": {"a": 1}}]),
    ]
    with stubbed("bedrock-agentcore") as (client, stubber):
        stubber.add_response("list_events", {"events": events, "nextToken": "more"}, LIST_REQUEST)
        result = AgentMemory(client, MEMORY, lambda: NOW).recall(ACTOR, SESSION)
    assert result == [
        MemoryEvent("8#ef", ""),
        MemoryEvent("9#cd", "second\nand more"),
        MemoryEvent("10#ab", "third", "w"),
    ]


def test_a_window_is_stored_with_the_window_id_as_client_token() -> None:
    turns = [("USER", "text of the window"), ("ASSISTANT", "findings")]
    expected = {
        "memoryId": MEMORY,
        "actorId": ACTOR,
        "sessionId": SESSION,
        "eventTimestamp": NOW,
        "payload": [{"conversational": {"role": role, "content": {"text": text}}} for role, text in turns],
        "clientToken": WINDOW_ID,
        "metadata": {"window": {"stringValue": WINDOW_ID}},
    }
    with stubbed("bedrock-agentcore") as (client, stubber):
        stubber.add_response("create_event", {"event": event("0000000000004#01")}, expected)
        AgentMemory(client, MEMORY, lambda: NOW).store_window(
            ACTOR, SESSION, WINDOW_ID, "text of the window", "findings"
        )


def test_the_findings_of_a_full_window_fit_into_its_memory() -> None:
    stored_events: list[dict[str, Any]] = []

    client = SimpleNamespace(
        list_events=lambda **_: {"events": stored_events},
        create_event=lambda **request: stored_events.append({"eventId": "0000000001#ab", **request}),
    )
    memory = AgentMemory(client, MEMORY, lambda: NOW)
    window_characters = TranscriptWindowsEnvironment.model_fields["window_characters"].default
    window_text = ("ferries " * window_characters)[:window_characters]
    memory.store_window(ACTOR, SESSION, WINDOW_ID, window_text, "The report has 410.")
    [recalled] = select_memories(memory.recall(ACTOR, SESSION), {WINDOW_ID})
    assert "The report has 410." in recalled.text
    assert recalled.text.count("ferries") > 100, "the window's text fills the rest"


def test_texts_are_truncated_to_the_limit_of_an_event() -> None:
    requests: list[dict[str, Any]] = []
    client = SimpleNamespace(create_event=lambda **request: requests.append(request))
    AgentMemory(client, MEMORY, lambda: NOW).store_window(
        ACTOR, SESSION, WINDOW_ID, "x" * (MAX_EVENT_CHARACTERS + 1), "y"
    )
    texts = [item["conversational"]["content"]["text"] for item in requests[0]["payload"]]
    assert texts == ["x" * MAX_EVENT_CHARACTERS, "y"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("ThrottledException", ServiceFault.THROTTLED),
        ("ServiceQuotaExceededException", ServiceFault.THROTTLED),
        ("ServiceException", ServiceFault.UNAVAILABLE),
        ("RetryableConflictException", ServiceFault.UNAVAILABLE),
        ("InvalidInputException", ServiceFault.REJECTED),
    ],
)
def test_an_error_of_the_service_becomes_a_fault(code: str, fault: ServiceFault) -> None:
    with stubbed("bedrock-agentcore") as (client, stubber):
        stubber.add_client_error("list_events", code, "canary")
        stubber.add_client_error("create_event", code, "canary")
        memory = AgentMemory(client, MEMORY, lambda: NOW)
        for call in (
            lambda: memory.recall(ACTOR, SESSION),
            lambda: memory.store_window(ACTOR, SESSION, WINDOW_ID, "a", "b"),
        ):
            with pytest.raises(ServiceFailed) as caught:
                call()
            assert caught.value.fault is fault


def test_a_missing_session_has_no_events_and_storing_to_a_missing_memory_fails() -> None:
    with stubbed("bedrock-agentcore") as (client, stubber):
        stubber.add_client_error("list_events", "ResourceNotFoundException", http_status_code=404)
        stubber.add_client_error("create_event", "ResourceNotFoundException", http_status_code=404)
        memory = AgentMemory(client, MEMORY, lambda: NOW)
        assert memory.recall(ACTOR, SESSION) == ()
        with pytest.raises(ServiceFailed) as caught:
            memory.store_window(ACTOR, SESSION, WINDOW_ID, "a", "b")
    assert caught.value.fault is ServiceFault.MISSING
