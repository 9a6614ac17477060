"""A stack on AWS that is played to the console's page: its output, and what its hosts answer."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, Page, Request, Route, WebSocketRoute, expect

from components.frontend_output import Frontend
from tests.browser import Visit, visit

FRONTEND: Final = Frontend.model_validate(
    {
        "schemaVersion": 1,
        "environment": "dev",
        "region": "eu-west-1",
        "ingestion": {
            "bucket": "landing",
            "prefix": "incoming/",
            "table": "files",
            "suffixes": [".ndjson"],
            "maxFileBytes": 1_000_000,
        },
        "transcription": {
            "url": "wss://transcription.example.com/live",
            "protocol": "polyphony.transcription.v1",
            "pingSeconds": 60,
            "inFlight": 2,
            "sessionHours": 4,
            "languages": ["en-US"],
            "routes": [],
        },
        "voiceQa": {
            "url": "wss://voice-qa.example.com/live",
            "identityPoolId": "eu-west-1:pool",
            "pingSeconds": 60,
            "lectureUploads": "guests",
            "maxQueryBytes": 1_000_000,
            "lectureFormats": ["wav"],
            "routes": [],
        },
        "livestream": {
            "apiUrl": "https://livestream.example.com/live",
            "authorizer": "jwt",
            "maxVideoGigabytes": 5,
            "maxTranscriptMegabytes": 5,
            "routes": [],
        },
        "meetings": {
            "apiUrl": "https://meetings.example.com/live",
            "bucket": "recordings",
            "table": "meetings",
            "index": "by-date",
            "credentialSeconds": 3600,
            "rawDays": 7,
            "routes": [],
        },
    }
)
CORS: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"} | {
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Expose-Headers": "ETag",
}
Answer = dict[str, Any] | int
"""What a request is answered with: a document, or a status without one."""


@contextmanager
def played(
    started: Browser, url: str, panel: str, *, plays: Callable[[Page], object] = lambda _: None, script: str = ""
) -> Iterator[Visit]:
    """A visitor at a panel of this stack; its hosts are not those that the page's server names.

    The script runs before the page's own.
    """
    with visit(started, url, bypass_csp=True) as made:
        made.page.add_init_script(script)
        made.page.route("**/frontend.json", lambda route: route.fulfill(json=FRONTEND.to_output()))
        plays(made.page)
        made.open(panel)
        yield made


def answers(page: Page, host: str, answer: Callable[[Request], Answer]) -> None:
    """A host that answers so, and to any page."""

    def fulfil(route: Route) -> None:
        said = {} if route.request.method == "OPTIONS" else answer(route.request)
        if isinstance(said, int):
            route.fulfill(status=said, headers=CORS)
        else:
            route.fulfill(json=said, headers=CORS)

    page.route(f"https://{host}/**", fulfil)


SESSION: Final = {"sessionId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}


@dataclass
class Transcription:
    """The transcription backend. It accepts whatever is said, and says nothing else by itself."""

    in_flight: int = 2
    breaks_at: str = ""
    """The action after which the first connection breaks; no other connection comes to anything."""
    accepted: Callable[[dict[str, Any]], object] = lambda _: None
    """Hears of every utterance that was accepted."""
    actions: list[str] = field(default_factory=list)
    """What connections were told to do."""
    sockets: list[WebSocketRoute] = field(default_factory=list)

    def plays(self, page: Page) -> None:
        page.route_web_socket(re.compile("^wss://transcription"), self._connected)

    def say(self, **message: object) -> None:
        """Sends a message over the first connection."""
        self.sockets[0].send(json.dumps({**SESSION, **message}))

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        is_lost = bool(self.breaks_at) and len(self.sockets) > 1

        def answered(message: str | bytes) -> None:
            asked = json.loads(message)
            self.actions.append(asked["action"])
            kind = {"open": "opened", "audio": "accepted", "close": "closed", "ping": "pong"}[asked["action"]]
            if not is_lost:
                about = {"expiresAt": "", "inFlight": self.in_flight, **SESSION}
                socket.send(json.dumps({"type": kind, "id": asked["id"], **about}))
            if is_lost or asked["action"] == self.breaks_at:
                socket.close(code=1001)
            elif kind == "accepted":
                self.accepted(asked)

        socket.on_message(answered)


def token(name: str, number: int = 0) -> str:
    """One of the identity provider's tokens for somebody."""
    claims = {"iss": "https://login.example.com", "sub": name, "name": name, "jti": number}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2lnbmF0dXJl"


def becomes(page: Page, pasted: str, name: str, *, field: str = "Token of the identity provider") -> None:
    """Somebody signs in with a token, or with what another field of the form takes."""
    page.locator("#who").click()
    page.get_by_label(field).fill(pasted)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.locator("#who")).to_have_text(name)
