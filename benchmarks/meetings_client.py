"""What listing meetings costs the client that filters them itself, at 1,000 and at 10,000 of one user.

The client as programs use it, over a socket, against an index in a process of its own that answers each page after 5
ms, as DynamoDB does from within its Region: at most as many meetings as are asked for, and at most 1 MB.
"""

import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from boto3.dynamodb.types import TypeSerializer

from benchmarks.figures import verdict
from clients.meetings import MeetingsClient
from handlers.common.moments import timestamp
from handlers.common.ulid import ulid
from handlers.meetings.exchange_models import Exchanged
from handlers.meetings.exchanging import prefixes
from handlers.meetings.places import MeetingId, Recording
from handlers.meetings.records import MeetingRecord, MeetingStatus

COUNTS = (1_000, 10_000)
PAGE_BYTES = 1_000_000
CALL_SECONDS = 0.005
ROUNDS = 7
FIRST = 20
AIM_SECONDS = 1.0
"""For a list of 1,000, which is what the requirement takes for the most that one user has."""
USER = "A" * 32
START = datetime(2026, 1, 1, tzinfo=UTC)
COLLEAGUES = [f"Colleague {number:02}" for number in range(40)]


def meeting(number: int) -> MeetingRecord:
    """One of many: five participants of forty, one of a hundred projects as tag."""
    began = START + timedelta(hours=number)
    recording = Recording(MeetingId(USER, ulid(began, number)), f"{number:032x}")
    now = timestamp(began)
    return MeetingRecord(
        user=USER,
        meeting_id=recording.meeting.meeting_id,
        content=recording.content,
        title=f"Weekly of the project {number % 100}, the {number}th time",
        started_at=now,
        language="en-US",
        participants=tuple(COLLEAGUES[(number * 7 + one) % len(COLLEAGUES)] for one in range(5)),
        tags=("weekly", f"project-{number % 100}"),
        status=MeetingStatus.READY,
        since=now,
        size=300_000_000,
        duration_ms=1_800_000,
        video_key=recording.video,
        transcript_key=recording.transcript,
        summary_key=recording.summary,
        created_at=now,
        updated_at=now,
    )


class Index:
    """The user's meetings, newest first, in pages that are kept for who asks again."""

    def __init__(self, count: int) -> None:
        self.items = [_item(meeting(number)) for number in reversed(range(count))]
        self.sizes = [len(json.dumps(one)) for one in self.items]

    def page(self, asked: Mapping[str, Any]) -> bytes:
        """A page of a Query, as DynamoDB writes it."""
        key = asked.get("ExclusiveStartKey")
        return self._made(int(key["place"]["N"]) if key else 0, int(asked["Limit"]))

    @cache  # noqa: B019 - it lives as long as its process
    def _made(self, start: int, limit: int) -> bytes:
        end, size = start, 0
        while end < len(self.items) and end - start < limit and size + self.sizes[end] <= PAGE_BYTES:
            size += self.sizes[end]
            end += 1
        page: dict[str, Any] = {"Items": self.items[start:end], "Count": end - start, "ScannedCount": end - start}
        if end < len(self.items):
            page["LastEvaluatedKey"] = {"place": {"N": str(end)}}
        return json.dumps(page).encode()


def _item(record: MeetingRecord) -> dict[str, Any]:
    plain = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: TypeSerializer().serialize(value) for name, value in plain.items()}


def exchanged() -> bytes:
    """Credentials for longer than anything here takes."""
    now = datetime.now(UTC)
    answer = Exchanged(
        access_key_id="x",
        secret_access_key="x",  # noqa: S106 - nobody checks it
        session_token="x",  # noqa: S106
        expiration=timestamp(now + timedelta(hours=1)),
        renew_after=timestamp(now + timedelta(minutes=45)),
        user=USER,
        bucket_name="b",
        table_name="t",
        region="us-east-1",
        prefixes=prefixes(USER),
    )
    return answer.model_dump_json(by_alias=True).encode()


def serve(count: int, told: Connection) -> None:
    """The process of the index."""
    index = Index(count)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = exchanged() if self.path == "/exchange" else index.page(json.loads(body))
            time.sleep(CALL_SECONDS)
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.send((server.server_port, sum(index.sizes) // count))
    server.serve_forever()


@dataclass(frozen=True)
class Served:
    """An index that is there."""

    url: str
    item_bytes: int


@contextmanager
def serving(count: int) -> Iterator[Served]:
    """An index of so many meetings."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(count, theirs), daemon=True)
    process.start()
    try:
        port, item_bytes = ours.recv()
        yield Served(f"http://127.0.0.1:{port}", item_bytes)
    finally:
        process.terminate()
        process.join()


def lists(client: MeetingsClient) -> dict[str, Callable[[], int]]:
    """What is measured: each gives how many meetings it found."""
    return {
        "all of them": lambda: _count(client.list_by_date()),
        "with a participant": lambda: _count(client.list_by_date(participant="colleague 07")),
        "with a tag": lambda: _count(client.list_by_date(tag="project-7")),
        f"the newest {FIRST}": lambda: _count(islice(client.list_by_date(), FIRST)),
        f"the newest {FIRST} with a tag": lambda: _count(islice(client.list_by_date(tag="Project-7"), FIRST)),
    }


def _count(found: Iterator[MeetingRecord]) -> int:
    return sum(1 for _ in found)


def timed(list_them: Callable[[], int]) -> tuple[int, float, float]:
    """How many were found, the median seconds, and those of this process's processor."""
    runs = []
    found = list_them()  # fills the index' own cache
    for _ in range(ROUNDS):
        wall, busy = time.perf_counter(), time.process_time()
        found = list_them()
        runs.append((time.perf_counter() - wall, time.process_time() - busy))
    return found, statistics.median(one for one, _ in runs), statistics.median(one for _, one in runs)


def main() -> None:
    """Prints one table a size."""
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    worst = 0.0
    for count in COUNTS:
        with serving(count) as index:
            begun = time.perf_counter()
            client = MeetingsClient(index.url, lambda: "token", "benchmark", endpoint_url=index.url)
            _ = client.user
            opened = time.perf_counter() - begun
            print(
                f"\n{count:,} meetings of {index.item_bytes} bytes, each page after {CALL_SECONDS * 1000:.0f} ms;"
                f" exchange and clients {opened * 1000:.0f} ms"
            )
            print(f"{'':28}{'found':>8}{'ms':>8}{'of it busy':>12}")
            for name, list_them in lists(client).items():
                found, seconds, busy = timed(list_them)
                print(f"{name:28}{found:8,}{seconds * 1000:8.0f}{busy * 1000:12.0f}")
                worst = max(worst, seconds) if count == COUNTS[0] else worst
    print(f"\naim: {COUNTS[0]:,} meetings in less than {AIM_SECONDS:.0f} s {verdict(worst, AIM_SECONDS)}")


if __name__ == "__main__":
    main()
