"""How fast livestream's API answers on the local platform: the deployed function over HTTP, beside what it is made of.

That is, in the same rounds, an item read from the same table without API and function, what the gateway answers by
itself, and a function that does nothing. The emulator waits 50 ms for a line of log after each call of a function that
writes none, and a request that succeeds writes none; so an episode that is not there is asked for as well, which is
refused with one.
"""

import io
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import spread, verdict
from benchmarks.http_load import Request, Rounds, rounds
from components.livestream.livestream import SLOW_MILLISECONDS
from components.settings.livestream import RestSettings
from handlers.common.items import stored
from handlers.common.users import EVERYBODY
from handlers.livestream.records import episode_key
from local import emulator, stack_files
from local.aws import EmulatorClients
from local.flows import Deployment
from local.flows.livestream import Livestream
from local.platform import deploy
from local.preview_provider import REGION
from local.progress import Silent
from local.stack_files import StackConfig

EPISODES = 20
ROUNDS = 5
REQUESTS = {1: 60, 8: 320, 16: 640}
"""Of a kind and round, by how many are under way at once."""
NEW: dict[str, Any] = {
    "title": "An evening in the harbour",
    "description": "What the ferries carry. " * 10,
    "speakers": ["Ann", "Bob"],
}
NOBODYS = "01K8PFVZQ0A1B2C3D4E5F6G7H8"
SETTINGS = "polyphony:livestream"
ITEM, NOTHING = "an item read", "a function that does nothing"
GET, LIST, CREATE = "get", f"list, {EPISODES} episodes", "create"
AIM_RATE, AIM_MS = RestSettings().requests_per_second, SLOW_MILLISECONDS
"""What the stage lets through unless it is told otherwise, and where its alarm rings."""


@contextmanager
def platform(config: StackConfig) -> Iterator[tuple[Livestream, Mapping[str, str]]]:
    """Livestream on a platform of its own, and the ids of all that is deployed."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        made = deploy(config, started.emulator, Silent())
        clients = EmulatorClients(started.emulator.endpoint)
        yield Livestream(Deployment(started.emulator, clients, made.ids, made.outputs)), made.ids


def unthrottled() -> StackConfig:
    """The local stack, with a stage that lets everything through."""
    config = stack_files.read("local")
    settings = json.loads(config.values[SETTINGS])
    settings["api"] |= {"requestsPerSecond": 10_000, "burst": 5_000}
    return replace(config, values={**config.values, SETTINGS: json.dumps(settings)})


def reading(livestream: Livestream, ids: Mapping[str, str], episode_id: str) -> list[Request]:
    """What changes nothing."""
    base = urlsplit(livestream.url).path
    whose = f'"episodeId":"{episode_id}"'.encode()
    return [
        _item(livestream.table, episode_id),
        Request("the gateway alone", "OPTIONS", f"{base}/episodes"),
        _nothing(livestream.client("lambda"), ids["livestream-episodes-function"]),
        Request(GET, "GET", f"{base}/episodes/{episode_id}", says=whose),
        Request(LIST, "GET", f"{base}/episodes", says=b'"episodeId"', times=EPISODES),
        Request("get, refused and logged", "GET", f"{base}/episodes/{NOBODYS}", status=404, says=b"EPISODE_UNKNOWN"),
    ]


def _item(table: str, episode_id: str) -> Request:
    """The same item, as the function reads it."""
    body = {"TableName": table, "Key": stored(episode_key(EVERYBODY, episode_id)), "ConsistentRead": True}
    told = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.GetItem"}
    return _signed(ITEM, "dynamodb", "/", json.dumps(body), told, says=b'"episodeId"')


def _nothing(client: Any, like: str) -> Request:
    """A function that answers at once, called without the gateway; of the other's role."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("nothing.py", "def handler(event, context):\n    return {}\n")
    client.create_function(
        FunctionName="nothing",
        Runtime="python3.13",
        Role=client.get_function_configuration(FunctionName=like)["Role"],
        Handler="nothing.handler",
        Code={"ZipFile": code.getvalue()},
    )
    path = "/2015-03-31/functions/nothing/invocations"
    return _signed(NOTHING, "lambda", path, "{}", {}, says=b"{}")


def _signed(name: str, service: str, path: str, body: str, headers: Mapping[str, str], says: bytes) -> Request:
    """Signed once, so that no client's work counts."""
    asked = AWSRequest("POST", f"https://{service}.{REGION}.amazonaws.com{path}", dict(headers), body)
    SigV4Auth(Credentials(emulator.KEY, emulator.KEY), service, REGION).add_auth(asked)
    return Request(name, "POST", path, body.encode(), dict(asked.headers.items()), says=says)


def main() -> None:
    """Prints one table."""
    with platform(unthrottled()) as (livestream, ids):
        where = urlsplit(livestream.url)
        begun = time.perf_counter()
        episode_id = livestream.create(**NEW)["episodeId"]
        first = time.perf_counter() - begun
        for _ in range(EPISODES - 1):
            livestream.create(**NEW)
        found = rounds(reading(livestream, ids, episode_id), where.netloc, REQUESTS, ROUNDS)
        told = {"Content-Type": "application/json"}
        path, body = f"{where.path}/episodes", json.dumps(NEW).encode()
        # Last, since it makes the list longer.
        create = Request(CREATE, "POST", path, body, told, 201, b'"episodeId"')
        found |= rounds([create], where.netloc, REQUESTS, ROUNDS)
    print(f"the first request of all: {1000 * first:.0f} ms; of the rest medians of {ROUNDS} rounds (least-most)\n")
    _table(found)


def _table(found: Rounds) -> None:
    columns = f"{'at once':>8}{'requests/s':>26}{'p50, ms':>26}{'p95, ms':>26}{'p50 by an item':>16}{'by nothing':>12}"
    print(f"{'':30}{columns}")
    for (name, at_once), those in found.items():
        figures = ([one.rate for one in those], [one.p50 for one in those], [one.p95 for one in those])
        beside = [statistics.median(one.p50 for one in found[other, at_once]) for other in (ITEM, NOTHING)]
        ratios = "".join(f"{statistics.median(figures[1]) / one:14.1f}" for one in beside)
        print(f"{name:30}{at_once:8}{''.join(spread(one).rjust(26) for one in figures)}{ratios}")
    failed = sum(one.failed for those in found.values() for one in those)
    print(f"{failed} requests that the platform failed to answer")
    for name in (GET, LIST, CREATE):
        those = found[name, max(REQUESTS)]
        rate, p95 = statistics.median(one.rate for one in those), statistics.median(one.p95 for one in those)
        met = verdict(rate, AIM_RATE, at_least=True), verdict(p95, AIM_MS)
        print(f"{name}, {max(REQUESTS)} at once: {AIM_RATE} requests/s {met[0]}, p95 < {AIM_MS} ms {met[1]}")


if __name__ == "__main__":
    main()
