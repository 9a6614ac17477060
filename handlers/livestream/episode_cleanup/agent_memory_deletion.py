"""Deletion of what the fact-check agent stored about an episode in its AgentCore memory.

The fact-check agent is a Lambda function that lets a model analyze the episode's transcript. AgentCore stores events by
actor and session. Here the actor is the owner of the episode, and the session is the episode. The events of the session
and the summaries that AgentCore derived from them are deleted. Facts that AgentCore derived about the owner remain,
because they do not name a session.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service


class AgentMemoryCleaner:
    """Deletes the content of single sessions from the AgentCore memory, which all episodes share."""

    def __init__(self, client: Any, memory_id: str, summary_namespace: str) -> None:
        """`summary_namespace`: namespace of a session's summaries, with the placeholders `{actorId}`, `{sessionId}`."""
        self._client = client
        self._memory_id = memory_id
        self._summary_namespace = summary_namespace

    def delete_session(self, actor: str, session: str) -> None:
        """Delete the events and summaries of a session. Raise ServiceFailed if a call fails."""
        session_ids = {"actorId": actor, "sessionId": session}
        for event in list(self._list(self._client.list_events, "events", **session_ids)):
            self._delete(self._client.delete_event, eventId=event["eventId"], **session_ids)
        namespace = self._summary_namespace.format(**session_ids)
        for record in list(self._list(self._client.list_memory_records, "memoryRecordSummaries", namespace=namespace)):
            self._delete(self._client.delete_memory_record, memoryRecordId=record["memoryRecordId"])

    def _list(self, operation: Any, result_key: str, **parameters: str) -> Iterator[Mapping[str, Any]]:
        next_page: dict[str, str] = {}
        while True:
            try:
                page = call_service(operation, memoryId=self._memory_id, **parameters, **next_page)
            except ServiceFailed as error:
                if error.fault is ServiceFault.MISSING:  # for example, the session never had an event
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
