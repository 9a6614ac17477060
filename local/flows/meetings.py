"""The meetings backend, driven from outside by its own client: recordings, and what came of them."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import imageio_ffmpeg

from clients.meetings import MeetingsClient
from clients.meetings.access import Access, Opened
from clients.meetings.exchange import HttpExchange
from handlers.common import clock
from local.aws import Clients
from local.emulator import Emulator
from local.flows.http import ask
from local.services import tones
from local.services.login import token_address

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Meetings:
    """A deployment."""

    client: Clients
    endpoint: str
    login: str
    """Where the local identity provider gives tokens."""
    url: str
    bucket: str
    table: str
    workflow: str
    sweep: str
    """The alias of the function that sweeps; `storage` likewise."""
    storage: str

    @classmethod
    def of(cls, client: Clients, there: Emulator, ids: Mapping[str, str], outputs: Mapping[str, Any]) -> Self:
        """What a frontend knows from the outputs, the rest by the ids of its resources."""
        known = outputs["frontend"]["meetings"]
        return cls(
            client=client,
            endpoint=there.endpoint,
            login=token_address(there.services["JWKS_URL"]),
            url=known["apiUrl"],
            bucket=known["bucket"],
            table=known["table"],
            workflow=ids["meetings-workflow-machine"],
            sweep=f"{ids['meetings-sweep-function']}:live",
            storage=f"{ids['meetings-storage-function']}:live",
        )

    def token(self, subject: str, seconds: int = 3600) -> str:
        """A token of the local provider, good for so long; below 0 it has ended already."""
        answer = ask("POST", self.login, {"subject": subject, "seconds": seconds})
        assert answer.status == 200, answer
        return str(answer.body["id_token"])

    def user(self, subject: str) -> MeetingsClient:
        """Somebody's client."""
        return MeetingsClient(
            self.url, lambda: self.token(subject), f"{subject}'s laptop", endpoint_url=self.endpoint, workers=2
        )

    def opened(self, subject: str) -> Opened:
        """AWS' own clients, with somebody's credentials."""
        exchange = HttpExchange(self.url, lambda: self.token(subject), subject)
        return Access(exchange, clock.now, 1, self.endpoint).opened()

    def executions(self) -> list[str]:
        """Names of the workflow's executions."""
        found = self.client("stepfunctions").list_executions(stateMachineArn=self.workflow)["executions"]
        return [one["name"] for one in found]

    def call(self, function: str, kind: str) -> dict[str, Any]:
        """Calls a function as its schedule does."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"kind": kind}))
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found


def recorded(path: Path, said: Iterable[tuple[int, str]], *, pictures: bool = True) -> Path:
    """A chunk of a recording: sentences, each in a voice, before moving pictures."""
    samples = b"".join(tones.speech([*words.split(), "."], SAMPLE_RATE, pitch) for pitch, words in said)
    # As long as the sound, and so said: with `-shortest`, pictures are now and then made for seconds longer.
    film = ("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=5:duration={len(samples) / 2 / SAMPLE_RATE}")
    encoders = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k")
    subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"),
            *("-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", "pipe:0"),
            *((*film, *encoders) if pictures else ("-c:a", "aac", "-b:a", "96k")),
            str(path),
        ],
        input=samples,
        capture_output=True,
        check=True,
    )
    return path
