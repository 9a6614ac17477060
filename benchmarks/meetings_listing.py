"""Benchmark of the meetings list: how long the client takes to list and filter 1,000 and 10,000 meetings of one user.

Another process acts as DynamoDB (`fake_aws_process`). A page has at most as many meetings as the client asks for, and
at most 1 MB.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler
from itertools import islice
from typing import Any

from benchmarks.benchmark_report import percentile, print_heading, print_table
from benchmarks.fake_aws_process import start_fake_aws
from clients.meetings import MeetingsClient
from handlers.common.aws.dynamodb_values import Item, serialize_item
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.auth_exchange.api_models import ExchangeResponse
from handlers.meetings.auth_exchange.credentials_exchange import user_prefixes
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus
from handlers.meetings.s3_keys import MeetingId, Recording

COUNTS = (1_000, 10_000)
MAX_PAGE_BYTES = 1_000_000
ROUNDS = 7
USER = "A" * 32
START = datetime(2026, 1, 1, tzinfo=UTC)
COLLEAGUES = [f"Colleague {number:02}" for number in range(40)]


def create_meeting(number: int) -> MeetingRecord:
    """Return a meeting with five of forty participants, and one of a hundred projects as a tag."""
    started = START + timedelta(hours=number)
    recording = Recording(MeetingId(USER, ulid(started, number)), f"{number:032x}")
    now = timestamp(started)
    return MeetingRecord(
        user=USER,
        meeting_id=recording.meeting.meeting_id,
        content=recording.content,
        title=f"Weekly of the project {number % 100}, the {number}th time",
        started_at=now,
        language="en-US",
        participants=tuple(COLLEAGUES[(number * 7 + offset) % len(COLLEAGUES)] for offset in range(5)),
        tags=("weekly", f"project-{number % 100}"),
        status=MeetingStatus.READY,
        since=now,
        size=300_000_000,
        duration_ms=1_800_000,
        video_key=recording.video_key,
        transcript_key=recording.transcript_key,
        summary_key=recording.summary_key,
        created_at=now,
        updated_at=now,
    )


class StoredMeetings:
    """The user's meetings, newest first. They are created in the process that first needs them."""

    def __init__(self, count: int) -> None:
        self._count = count

    @cached_property
    def items(self) -> list[Item]:
        meetings = (create_meeting(number) for number in reversed(range(self._count)))
        return [
            serialize_item(meeting.model_dump(mode="json", by_alias=True, exclude_none=True)) for meeting in meetings
        ]

    @cached_property
    def sizes(self) -> list[int]:
        return [len(json.dumps(item)) for item in self.items]

    def answer(self, call: BaseHTTPRequestHandler, body: bytes) -> bytes:
        """Answer the token exchange, or return a page as DynamoDB writes it."""
        if call.path == "/exchange":
            return exchange_token()
        request = json.loads(body)
        key = request.get("ExclusiveStartKey")
        return self._page(int(key["position"]["N"]) if key else 0, int(request["Limit"]))

    @cache  # noqa: B019 - it lives as long as its process
    def _page(self, start: int, limit: int) -> bytes:
        end, size = start, 0
        while end < len(self.items) and end - start < limit and size + self.sizes[end] <= MAX_PAGE_BYTES:
            size += self.sizes[end]
            end += 1
        page: dict[str, Any] = {"Items": self.items[start:end], "Count": end - start, "ScannedCount": end - start}
        if end < len(self.items):
            page["LastEvaluatedKey"] = {"position": {"N": str(end)}}
        return json.dumps(page).encode()


def exchange_token() -> bytes:
    """Return credentials that outlast the measurement."""
    now = datetime.now(UTC)
    answer = ExchangeResponse(
        access_key_id="x",
        secret_access_key="x",  # noqa: S106 - nothing checks it
        session_token="x",  # noqa: S106
        expiration=timestamp(now + timedelta(hours=1)),
        renew_after=timestamp(now + timedelta(minutes=45)),
        user=USER,
        bucket_name="b",
        table_name="t",
        region="us-east-1",
        prefixes=user_prefixes(USER),
    )
    return answer.model_dump_json(by_alias=True).encode()


@contextmanager
def open_client(count: int) -> Iterator[MeetingsClient]:
    """Start a process that acts as a table of `count` meetings, and yield a client of it."""
    with start_fake_aws(StoredMeetings(count).answer) as url:
        yield MeetingsClient(url, lambda: "token", "benchmark", endpoint_url=url)


def measure(list_meetings: Callable[[], Iterator[MeetingRecord]]) -> dict[str, float | str]:
    """Return the number of meetings found, and the median times of the client."""
    deque(list_meetings(), maxlen=0)  # the other process now has all pages in its cache
    wall, busy = [], []
    for _ in range(ROUNDS):
        started, busy_before = time.perf_counter(), time.process_time()
        count = sum(1 for _ in list_meetings())
        wall.append(1000 * (time.perf_counter() - started))
        busy.append(1000 * (time.process_time() - busy_before))
    return {
        "found": count,
        "median, ms": round(percentile(wall, 0.5)),
        "of it processor, ms": round(percentile(busy, 0.5)),
    }


def main() -> None:
    """Print one row per number of meetings and filter."""
    print_heading("Listing meetings")
    rows: dict[str, dict[str, float | str]] = {}
    for count in COUNTS:
        with open_client(count) as client:
            rows[f"{count:,} meetings: all"] = measure(client.list_by_date)
            rows[f"{count:,} meetings: with a participant"] = measure(
                lambda: client.list_by_date(participant="colleague 07")
            )
            rows[f"{count:,} meetings: with a tag"] = measure(lambda: client.list_by_date(tag="project-7"))
            rows[f"{count:,} meetings: the newest 20"] = measure(lambda: islice(client.list_by_date(), 20))
    print_table(rows)


if __name__ == "__main__":
    main()
