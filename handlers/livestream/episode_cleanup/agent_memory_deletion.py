"""Deletion of what the fact-check agent stored about an episode in its AgentCore memory.

The fact-check agent is a Lambda function that lets a model analyze the episode's transcript. AgentCore stores events by
actor and session. Here the actor is the owner of the episode, and the session is the episode. The events of the session
are deleted, and the records that AgentCore derived from them: summaries and facts. Events would expire after some time,
but records never do.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handlers.common.aws import ServiceFailed, ServiceFault, call_service

PAGE_SIZE = 100
"""Maximum number of entries of one list request, and of records of one BatchDeleteMemoryRecords request."""


class RecordsNotDeleted(Exception):
    """AgentCore did not delete some of the records. A repetition lists those that still exist, and deletes them."""


class AgentMemoryCleaner:
    """Deletes the content of single sessions from the AgentCore memory, which all episodes share."""

    def __init__(self, client: Any, memory_id: str, namespaces: Sequence[str]) -> None:
        """`namespaces`: namespaces of a session's records, with the placeholders `{actorId}`, `{sessionId}`."""
        self._client = client
        self._memory_id = memory_id
        self._namespaces = namespaces

    def delete_session(self, actor: str, session: str) -> None:
        """Delete the events and records of a session. Raise ServiceFailed if a call fails, and RecordsNotDeleted."""
        session_ids = {"actorId": actor, "sessionId": session}
        for event in list(self._list(self._client.list_events, "events", **session_ids)):
            self._delete_event(eventId=event["eventId"], **session_ids)
        for namespace in self._namespaces:
            self._delete_records(namespace.format(**session_ids))

    def _delete_records(self, namespace: str) -> None:
        listed = self._list(self._client.list_memory_records, "memoryRecordSummaries", namespace=namespace)
        records = [{"memoryRecordId": record["memoryRecordId"]} for record in listed]
        for start in range(0, len(records), PAGE_SIZE):
            batch = records[start : start + PAGE_SIZE]
            answer = call_service(self._client.batch_delete_memory_records, memoryId=self._memory_id, records=batch)
            if answer["failedRecords"]:
                raise RecordsNotDeleted

    def _list(self, operation: Any, result_key: str, **parameters: str) -> Iterator[Mapping[str, Any]]:
        next_page: dict[str, str] = {}
        while True:
            try:
                page = call_service(
                    operation, memoryId=self._memory_id, maxResults=PAGE_SIZE, **parameters, **next_page
                )
            except ServiceFailed as error:
                if error.fault is ServiceFault.MISSING:  # for example, the session never had an event
                    return
                raise
            yield from page[result_key]
            if not page.get("nextToken"):
                return
            next_page = {"nextToken": page["nextToken"]}

    def _delete_event(self, **ids: str) -> None:
        try:
            call_service(self._client.delete_event, memoryId=self._memory_id, **ids)
        except ServiceFailed as error:
            if error.fault is not ServiceFault.MISSING:
                raise
