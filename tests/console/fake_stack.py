"""Fake AWS stack for the console, with its output `frontend` and fake responses of its hosts, and calls of the console's
JavaScript modules.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, Page, Request, Route, WebSocketRoute, expect

from components.frontend_output import Frontend
from local.audio_formats import encode_audio, silence
from tests.browser import ConsoleWindow, open_window

FRONTEND: Final = Frontend.model_validate_json("""{
  "schemaVersion": 1, "environment": "dev", "region": "eu-west-1",
  "ingestion": {
    "bucket": "landing", "prefix": "incoming/", "table": "files", "suffixes": [".ndjson"], "maxFileBytes": 1000000,
    "flushMinutes": 60
  },
  "transcription": {
    "url": "wss://transcription.example.com/live", "protocol": "polyphony.transcription.v2", "pingSeconds": 60,
    "inFlight": 2, "languages": ["en-US"], "routes": []
  },
  "voiceQa": {
    "url": "wss://voice-qa.example.com/live", "identityPoolId": "eu-west-1:pool", "pingSeconds": 60,
    "lectureUploads": "guests", "maxQueryBytes": 1000000, "lectureMinSeconds": 10, "lectureMaxSeconds": 14400,
    "maxLectureBytes": 1000000, "lectureFormats": ["wav"], "routes": []
  },
  "livestream": {
    "apiUrl": "https://livestream.example.com/live", "authorizer": "jwt", "maxVideoGigabytes": 5,
    "maxTranscriptMegabytes": 5, "routes": []
  },
  "meetings": {
    "apiUrl": "https://meetings.example.com/live", "bucket": "recordings", "table": "meetings", "index": "by-date",
    "credentialSeconds": 3600, "rawDays": 7, "routes": []
  }
}""")
CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*, authorization",
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Expose-Headers": "x-amz-version-id",
}
"""Response headers with which a fake host allows requests of every origin."""
LOCAL_ENDPOINT: Final = "http://127.0.0.1:9"
"""Endpoint of the fake local platform: a closed port, to which tests add routes."""
LOCAL_DOCUMENT: Final = {
    "endpoint": LOCAL_ENDPOINT,
    "login": f"{LOCAL_ENDPOINT}/token",
    "subject": "ann",
    "credentials": {"accessKeyId": "test", "secretAccessKey": "test"},
}
"""Content of `local.json`, which the page reads if its stack runs on the local platform."""
SHORT_PAUSES: Final = """
const realSetTimeout = window.setTimeout;
window.setTimeout = (callback, ms, ...args) => realSetTimeout(callback, ms >= 300 && ms <= 5000 ? ms / 20 : ms, ...args);
"""
"""Shortens the pauses before retries, reconnections and further polls. Longer times are timeouts and stay as they are."""
FakeResponse = dict[str, Any] | int
"""Response of a fake host: a JSON document, or a status without a body."""
OpenPanel = Callable[..., AbstractContextManager[ConsoleWindow]]
"""`open_panel` with the shared browser, as the fixture returns it."""


@contextmanager
def open_panel(
    chromium: Browser,
    console_url: str,
    panel: str,
    *,
    set_up: Callable[[Page], object] = lambda _: None,
    script: str = "",
    local: bool = False,
) -> Iterator[ConsoleWindow]:
    """Open a panel of this stack in a new window.

    `set_up` installs the fake hosts, and `script` runs before the page's own. If `local` is True, the stack is one of
    the local platform, whose endpoint is `LOCAL_ENDPOINT`. The window ignores the page's content security policy,
    because the server's policy does not name the fake hosts.
    """
    with open_window(chromium, console_url, bypass_csp=True) as window:
        window.page.add_init_script(SHORT_PAUSES)
        window.page.add_init_script(script)
        frontend = FRONTEND.to_output() | ({"environment": "local"} if local else {})
        window.page.route("**/frontend.json", lambda route: route.fulfill(json=frontend))
        window.page.route("**/local.json", lambda route: route.fulfill(json=LOCAL_DOCUMENT))
        set_up(window.page)
        window.open(panel)
        yield window


def fake_host(page: Page, host: str, respond: Callable[[Request], FakeResponse]) -> None:
    """Answer all requests of a page to a host. The responses allow every origin."""

    def fulfil(route: Route) -> None:
        response = {} if route.request.method == "OPTIONS" else respond(route.request)
        if isinstance(response, int):
            route.fulfill(status=response, headers=CORS)
        else:
            route.fulfill(json=response, headers=CORS)

    page.route(f"https://{host}/**", fulfil)


def hold_requests(page: Page, url: str | re.Pattern[str]) -> list[Route]:
    """Hold all further requests to a URL until the test answers them or calls `fallback`. Return their growing list."""
    held: list[Route] = []
    page.route(url, lambda route: route.fallback() if route.request.method == "OPTIONS" else held.append(route))
    return held


@dataclass
class FakeTranscription:
    """WebSocket API of transcription. A client opens a session, and then sends each utterance, a few seconds of speech,
    as one message.

    The fake accepts every utterance. It sends captions and other results only if the test calls `send`.
    """

    in_flight: int = 2
    """Maximum number of utterances that the client may have sent and that are not done."""
    close_after_action: str = ""
    """The action after which the first connection closes. Later connections close without a response."""
    finishes_utterances: bool = False
    """If True, every accepted utterance is reported as done, without captions."""
    on_accepted: Callable[[dict[str, Any]], object] = lambda _: None
    """Function that is called with the message of every accepted utterance."""
    actions: list[str] = field(default_factory=list)
    """Actions of all received messages, `open`, `audio` and `ping`, and `close` for each connection that the page closed."""
    sockets: list[WebSocketRoute] = field(default_factory=list)
    """All connections of the page, in order."""

    def install(self, page: Page) -> None:
        page.route_web_socket(re.compile("^wss://transcription"), self._on_connection)

    def send(self, **message: object) -> None:
        """Send a message over the first connection."""
        self.sockets[0].send(json.dumps(message))

    def _on_connection(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        is_refused = bool(self.close_after_action) and len(self.sockets) > 1

        def on_message(message: str | bytes) -> None:
            request = json.loads(message)
            self.actions.append(request["action"])
            kind = {"open": "opened", "audio": "accepted", "ping": "pong"}[request["action"]]
            if not is_refused:
                socket.send(json.dumps({"type": kind, "id": request["id"], "inFlight": self.in_flight}))
            if is_refused or request["action"] == self.close_after_action:
                socket.close(code=1001)
            elif kind == "accepted":
                self.on_accepted(request)
                if self.finishes_utterances:
                    self.send(type="done", utterance=request["utterance"], attempt=request["attempt"], finals=0)

        socket.on_message(on_message)
        socket.on_close(lambda *_: self.actions.append("close"))


def silent_wav(seconds: int) -> bytes:
    """Return a silent WAV file of this length."""
    return encode_audio(silence(seconds), "wav")


def make_token(name: str, number: int = 0) -> str:
    """Return a token of the identity provider with a fake signature. Each number gives another token for the user."""
    claims = {"iss": "https://login.example.com", "sub": name, "name": name, "jti": number}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2lnbmF0dXJl"


def sign_in(page: Page, secret: str, name: str, *, field: str = "Token of the identity provider") -> None:
    """Enter a secret in a field of the sign-in form, by default a token, and expect the name in the page's header."""
    page.locator("#who").click()
    page.get_by_label(field).fill(secret)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.locator("#who")).to_have_text(name)


def run_script(window: ConsoleWindow, module: str, script: str, argument: Any = None) -> Any:
    """Run the body of a JavaScript function and return its result.

    The script uses the imported module as `module` and the argument as `input`.
    """
    return window.evaluate(
        f"async (input) => {{ const module = await import('/lib/{module}.js'); {script} }}", argument
    )
