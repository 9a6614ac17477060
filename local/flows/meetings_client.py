"""The meetings backend, driven from outside by its own client: recordings, and what came of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clients.meetings import MeetingsClient
from clients.meetings.token_exchange_request import HttpExchange
from clients.meetings.user_credentials import AccessProvider, UserAccess
from handlers.common.time_and_ids import clock
from local.emulation.identity_provider import token_address
from local.emulation.speech import tone_words
from local.emulation.speech.audio_files import pcm_input, run_ffmpeg
from local.flows import Deployment, invoke
from local.flows.http_requests import ask

SAMPLE_RATE = 16_000


class Meetings:
    """The meetings of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        known = deployment.frontend("meetings")
        self.client = deployment.client
        self.endpoint = deployment.emulator.endpoint
        self.login = token_address(deployment.emulator.services["JWKS_URL"])
        """Where the local identity provider gives tokens."""
        self.url, self.bucket, self.table = known["apiUrl"], known["bucket"], known["table"]
        self.workflow = deployment.ids["meetings-workflow-machine"]
        self.sweep = deployment.function("meetings-sweep")
        self.storage = deployment.function("meetings-storage")

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

    def opened(self, subject: str) -> UserAccess:
        """AWS' own clients, with somebody's credentials."""
        exchange = HttpExchange(self.url, lambda: self.token(subject), subject)
        return AccessProvider(exchange, clock.now, 1, self.endpoint).get()

    def executions(self) -> list[str]:
        """Names of the workflow's executions."""
        found = self.client("stepfunctions").list_executions(stateMachineArn=self.workflow)["executions"]
        return [one["name"] for one in found]

    def call(self, function: str, kind: str) -> dict[str, Any]:
        """Calls a function as its schedule does."""
        return invoke(self.client, function, kind=kind)


def recorded(path: Path, said: Iterable[tuple[int, str]], *, pictures: bool = True) -> Path:
    """A chunk of a recording: sentences, each in a voice, before moving pictures."""
    samples = b"".join(tone_words.speech([*words.split(), "."], SAMPLE_RATE, pitch) for pitch, words in said)
    # As long as the sound, and so said: with `-shortest`, pictures are now and then made for seconds longer.
    film = ("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=5:duration={len(samples) / 2 / SAMPLE_RATE}")
    encoders = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k")
    made = (*film, *encoders) if pictures else ("-c:a", "aac", "-b:a", "96k")
    run_ffmpeg(*pcm_input(SAMPLE_RATE), *made, str(path), data=samples)
    return path
