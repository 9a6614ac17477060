"""What each operation of livestream's API asks of AWS, and what the function takes by itself: no gateway, no other process.

The function's own entry point is called with what the gateway would hand it, in the environment that it was deployed
with. The emulator answers it; every call that it makes is noted before it goes out.
"""

import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from json import dumps, loads
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import at_share, spread, verdict
from benchmarks.livestream_platform import EPISODES, NEW, platform
from handlers.common.items import stored
from handlers.common.users import EVERYBODY
from handlers.livestream import api
from handlers.livestream.operations import OPERATIONS
from handlers.livestream.records import Found, episode_key, found_key
from local import LOOPBACK, emulator, stack_files
from local.flows.http import send
from local.flows.livestream import Livestream
from local.preview_provider import REGION

ROUNDS, CALLS = 5, 60
VIDEO_BYTES = 11_000_000
"""So many go in parts on the local platform."""
KNOWN = {one.name: one for one in OPERATIONS}
CLAIM = {"claimId": "c", "quote": "It is so.", "text": "It is.", "verdict": "unverified", "confidence": 0}
CLIP = {"clipId": "c", "title": "A clip"}
Said = dict[str, Any]


class Unanswered(Exception):
    """An operation did not answer as it should."""


class Function:
    """The API's function in this process."""

    def __init__(self, endpoint: str, variables: Mapping[str, str]) -> None:
        """`variables`: what it was deployed with."""
        self.calls: list[str] = []
        """Of AWS, as `service.Operation`."""
        credentials = {"AWS_ACCESS_KEY_ID": emulator.KEY, "AWS_SECRET_ACCESS_KEY": emulator.KEY}
        where = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION, "NO_PROXY": LOOPBACK}
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "LOG_LEVEL": "ERROR"}
        os.environ.update({**variables, **credentials, **where, **nothing})
        core = botocore.session.Session()
        core.register("before-call", self._note)
        with patch.object(boto3, "Session", return_value=boto3.Session(botocore_session=core)):
            api.handler({}, None)  # refused; what a container makes once is made

    def _note(self, **event: Any) -> None:
        self.calls.append(event["event_name"].removeprefix("before-call."))

    def ask(self, operation: str, body: object = None, query: Said | None = None, **path: str) -> Said:
        """What an operation answers."""
        known = KNOWN[operation]
        event = {
            "resource": known.path,
            "httpMethod": known.method,
            "pathParameters": path,
            "queryStringParameters": query,
            "body": None if body is None else dumps(body),
            "requestContext": {"requestId": "r"},
        }
        response = api.handler(event, None)
        if response["statusCode"] not in known.statuses:
            raise Unanswered(f"{operation}: {response['statusCode']}, {response['body']}")
        answer: Said = loads(response["body"] or "{}")
        return answer


@dataclass(frozen=True)
class Case:
    """An operation in one of the ways that it can go."""

    name: str
    ask: Callable[[], object]
    often: bool = True
    """Whether it can be asked again and again."""


@dataclass
class Took:
    """Milliseconds of one thing, by rounds."""

    p50: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """This process's own."""

    def add(self, what: Callable[[], object]) -> None:
        """One more round."""
        seconds, busy = [], time.thread_time()
        for _ in range(CALLS):
            begun = time.perf_counter()
            what()
            seconds.append(time.perf_counter() - begun)
        self.processor.append(1000 * (time.thread_time() - busy) / CALLS)
        self.p50.append(1000 * at_share(seconds, 0.5))


def cases(function: Function, livestream: Livestream) -> Iterator[Case]:
    """All operations; each is asked before the next is made."""
    ask = function.ask
    token = uuid.uuid4().hex
    ids = [ask("createEpisode", NEW)["episodeId"] for _ in range(EPISODES - 1)]
    ids.append(ask("createEpisode", {**NEW, "clientToken": token})["episodeId"])
    one, other = ids[0], ids[1]
    for kind, found in ((Found.CLAIM, CLAIM), (Found.CLIP, CLIP)):
        for second in range(EPISODES):
            item = {**found_key(EVERYBODY, one, kind, second, "c"), **found, "startMs": second, "endMs": second + 1}
            livestream.client("dynamodb").put_item(TableName=livestream.table, Item=stored(item))
    versions = count(1)
    cursor = ask("listEpisodes", query={"limit": "10"})["nextCursor"]
    form = {"kind": "transcript", "contentType": "text/vtt", "bytes": 10}
    yield Case("getEpisode", lambda: ask("getEpisode", episodeId=one))
    yield Case(f"listEpisodes, {EPISODES} of them", lambda: ask("listEpisodes"))
    yield Case("listEpisodes, ten more by cursor", lambda: ask("listEpisodes", query={"limit": "10", "cursor": cursor}))
    yield Case("listEpisodes, ten of more", lambda: ask("listEpisodes", query={"limit": "10"}))
    yield Case(f"listClaims, {EPISODES} of them", lambda: ask("listClaims", episodeId=one))
    yield Case(f"listClips, {EPISODES} of them", lambda: ask("listClips", episodeId=one))
    yield Case("listClaims, none", lambda: ask("listClaims", episodeId=other))
    yield Case("createEpisode, again", lambda: ask("createEpisode", {**NEW, "clientToken": token}))
    yield Case(
        "updateEpisode", lambda: ask("updateEpisode", {"version": next(versions), "title": "Anew"}, episodeId=one)
    )
    yield Case("requestUpload, form", lambda: ask("requestUpload", form, episodeId=one))
    yield from _in_parts(function, one)
    yield Case("deleteEpisode", lambda: ask("deleteEpisode", episodeId=one), often=False)
    yield Case("createEpisode", lambda: ask("createEpisode", NEW))


def _in_parts(function: Function, episode_id: str) -> Iterator[Case]:
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": VIDEO_BYTES}
    ready: Said = {}
    yield Case("requestUpload, parts", lambda: ready.update(function.ask("requestUpload", asked, episodeId=episode_id)))
    where = {"episodeId": episode_id, "uploadId": ready["uploadId"]}
    named = {"multipartId": ready["multipart"]["multipartId"]}
    yield Case("signParts", lambda: function.ask("signParts", named, **where))
    multipart, left, parts = ready["multipart"], VIDEO_BYTES, []
    for part in multipart["parts"]:
        size = min(left, multipart["partBytes"])
        answer = send("PUT", part["url"], bytes(size))
        parts.append({"partNumber": part["partNumber"], "etag": answer.headers["etag"]})
        left -= size
    body = {**named, "parts": parts}
    yield Case("completeUpload", lambda: function.ask("completeUpload", body, **where), often=False)


def main() -> None:
    """Prints one table."""
    with platform(stack_files.read("local")) as (livestream, ids):
        name = ids["livestream-episodes-function"]
        deployed = livestream.client("lambda").get_function_configuration(FunctionName=name)["Environment"]
        client = livestream.client("dynamodb")
        function = Function(client.meta.endpoint_url, deployed["Variables"])
        key = stored(episode_key(EVERYBODY, function.ask("createEpisode", NEW)["episodeId"]))
        all_items = Took()
        print(f"{'':34}{'p50, ms':>20}{'by an item':>12}{'processor, ms':>20}   calls of AWS")
        for case in cases(function, livestream):
            function.calls.clear()
            case.ask()
            calls = list(function.calls)
            took, items = Took(), Took()
            for _ in range(ROUNDS if case.often else 0):
                took.add(case.ask)
                items.add(lambda: client.get_item(TableName=livestream.table, Key=key, ConsistentRead=True))
            _line(case.name, took, items, calls)
            all_items.p50 += items.p50
            all_items.processor += items.processor
        _line("an item read, by boto3 alone", all_items, all_items, ["dynamodb.GetItem"])


def _line(name: str, took: Took, items: Took, calls: list[str]) -> None:
    figures = f"{'':52}"
    if took.p50:
        ratio = statistics.median(took.p50) / statistics.median(items.p50)
        figures = f"{spread(took.p50):>20}{ratio:12.1f}{spread(took.processor):>20}"
    table = sum(one.startswith("dynamodb.") for one in calls)
    print(f"{name:34}{figures}   {', '.join(calls)}: one table call {verdict(table, 2)}")


if __name__ == "__main__":
    main()
