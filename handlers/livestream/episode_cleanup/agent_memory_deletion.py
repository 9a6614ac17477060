"""Deletion of an episode's AgentCore memory: the events of its session, and the summaries derived from them.

Facts that AgentCore derived about the owner remain. They do not name a session, so they cannot be assigned to an
episode.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service


class SessionMemory:
    """Deletes sessions of one AgentCore memory. The session id is the episode id, the actor id its owner."""

    def __init__(self, client: Any, memory_id: str, summary_namespace: str) -> None:
        """`summary_namespace`: namespace of a session's summaries, with `{actorId}` and `{sessionId}` in it."""
        self._client = client
        self._memory_id = memory_id
        self._summary_namespace = summary_namespace

    def delete_session(self, actor: str, session: str) -> int:
        """Delete the events and summaries of a session, and return their number.

        Raise ServiceFailed if a call fails.
        """
        session_ids = {"actorId": actor, "sessionId": session}
        events = [event["eventId"] for event in self._list(self._client.list_events, "events", **session_ids)]
        for event_id in events:
            self._delete(self._client.delete_event, eventId=event_id, **session_ids)
        namespace = self._summary_namespace.format(**session_ids)
        records = self._list(self._client.list_memory_records, "memoryRecordSummaries", namespace=namespace)
        summaries = [record["memoryRecordId"] for record in records]
        for record_id in summaries:
            self._delete(self._client.delete_memory_record, memoryRecordId=record_id)
        return len(events) + len(summaries)

    def _list(self, operation: Any, result_key: str, **parameters: str) -> Iterator[Mapping[str, Any]]:
        next_page: dict[str, str] = {}
        while True:
            try:
                page = call_service(operation, memoryId=self._memory_id, **parameters, **next_page)
            except ServiceFailed as error:
                if error.fault is ServiceFault.MISSING:  # the session never had an event
                    return
                raise
            yield from page[result_key]
            if not page.get("nextToken"):
                return
            next_page = {"nextToken": page["nextToken"]}

    def _delete(self, operation: Any, **parameters: str) -> None:
        try:
            call_service(operation, memoryId=self._memory_id, **parameters)
        except ServiceFailed as error:
            if error.fault is not ServiceFault.MISSING:
                raise
