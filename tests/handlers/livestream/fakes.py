"""Fakes of the services that livestream's functions call and moto does not have: Bedrock, AgentCore and MediaConvert."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


def answer(*claims: object, clips: tuple[object, ...] = ()) -> str:
    """Return a model's answer about a window."""
    return json.dumps({"claims": claims, "clips": clips}, ensure_ascii=False)


@dataclass
class FakeBedrock:
    """Client of a model that follows a script of answers, answers with their stop reason, and errors.

    The last entry is repeated.
    """

    script: list[str | tuple[str, str] | Exception] = field(default_factory=lambda: [answer()])
    requests: list[dict[str, Any]] = field(default_factory=list)

    def converse(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        text, stop_reason = entry if isinstance(entry, tuple) else (entry, "end_turn")
        usage = {"inputTokens": 100, "outputTokens": 10, "cacheReadInputTokens": 1_000}
        return {"output": {"message": {"content": [{"text": text}]}}, "usage": usage, "stopReason": stop_reason}


class SessionMissing(Exception):
    """AgentCore's error for a session without events."""


@dataclass
class FakeMemory:
    """Client of AgentCore memory. It stores an event once for each client token."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """Events of all sessions, in the order of their creation."""
    records: dict[str, list[str]] = field(default_factory=dict)
    """Ids of memory records by namespace."""
    undeletable: set[str] = field(default_factory=set)
    """Ids of memory records that AgentCore fails to delete."""
    create_error: Exception | None = None
    exceptions = SimpleNamespace(ResourceNotFoundException=SessionMissing)

    def create_event(self, **event: Any) -> None:
        if self.create_error is not None:
            raise self.create_error
        if event["clientToken"] not in {stored["clientToken"] for stored in self.events}:
            self.events.append({"eventId": f"{len(self.events) + 1}#ab", **event})

    def list_events(self, **session: Any) -> Mapping[str, Any]:
        """List the newest events first."""
        events = [event for event in reversed(self.events) if event["sessionId"] == session["sessionId"]]
        if not events:
            raise SessionMissing
        return {"events": events}

    def delete_event(self, *, eventId: str, **_: Any) -> None:  # noqa: N803 - boto3's name
        self.events = [event for event in self.events if event["eventId"] != eventId]

    def list_memory_records(self, *, namespace: str, **_: Any) -> Mapping[str, Any]:
        return {"memoryRecordSummaries": [{"memoryRecordId": name} for name in self.records.get(namespace, [])]}

    def batch_delete_memory_records(self, *, records: list[dict[str, str]], **_: Any) -> Mapping[str, Any]:
        assert 1 <= len(records) <= 100, "the service accepts at most 100 records"
        deleted = {record["memoryRecordId"] for record in records} - self.undeletable
        for namespace, names in self.records.items():
            self.records[namespace] = [name for name in names if name not in deleted]
        return {"failedRecords": [record for record in records if record["memoryRecordId"] not in deleted]}

    def get_paginator(self, operation: str) -> Any:
        def paginate(**request: Any) -> Iterator[Mapping[str, Any]]:
            """Yield pages of two entries, or one empty page."""
            [(name, entries)] = getattr(self, operation)(**request).items()
            for start in range(0, len(entries) or 1, 2):
                yield {name: entries[start : start + 2]}

        return SimpleNamespace(paginate=paginate)


@dataclass
class FakeMediaConvert:
    """Client of MediaConvert and of the event bus, which records their calls."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """Exceptions that the next jobs raise."""
    failed_entries: int = 0
    """Number of events that the bus rejects in each request."""

    def create_job(self, **request: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.jobs.append(request)

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.published += [] if self.failed_entries else Entries
        return {"FailedEntryCount": self.failed_entries}
