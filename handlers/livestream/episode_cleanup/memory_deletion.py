"""What the agent remembers of an episode, deleted: its session's events, and the summaries drawn from them.

What was drawn from them about the owner stands without its session and cannot be told apart: it stays.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service


class SessionMemory:
    """The sessions of one memory."""

    def __init__(self, client: Any, memory_id: str, summaries: str) -> None:
        """`summaries`: the namespace of summaries, with `{actorId}` and `{sessionId}` in it."""
        self._client = client
        self._memory_id = memory_id
        self._summaries = summaries

    def forget(self, actor: str, session: str) -> int:
        """Deletes what is remembered of a session, and says how much there was; raises ServiceFailed."""
        where = {"actorId": actor, "sessionId": session}
        events = [one["eventId"] for one in self._pages(self._client.list_events, "events", **where)]
        for one in events:
            self._delete(self._client.delete_event, eventId=one, **where)
        namespace = self._summaries.format(**where)
        records = self._pages(self._client.list_memory_records, "memoryRecordSummaries", namespace=namespace)
        summaries = [one["memoryRecordId"] for one in records]
        for one in summaries:
            self._delete(self._client.delete_memory_record, memoryRecordId=one)
        return len(events) + len(summaries)

    def _pages(self, operation: Any, what: str, **where: str) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            try:
                page = call_service(operation, memoryId=self._memory_id, **where, **more)
            except ServiceFailed as error:
                if error.fault is ServiceFault.MISSING:  # nothing was ever recorded there
                    return
                raise
            yield from page[what]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def _delete(self, operation: Any, **what: str) -> None:
        try:
            call_service(operation, memoryId=self._memory_id, **what)
        except ServiceFailed as error:
            if error.fault is not ServiceFault.MISSING:
                raise
