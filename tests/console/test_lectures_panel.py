"""Tests of the lectures panel against a fake stack: reconnection, retries, and citations of several lectures.

A visitor uploads a lecture with a presigned form, and asks questions about it. An answer arrives in numbered pieces.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Request, Route, WebSocketRoute, expect

from tests.console.fake_stack import CORS, FakeResponse, OpenPanel, fake_host, silent_wav

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
FIRST_LECTURE, SECOND_LECTURE = "01ARZ3NDEKTSV4RRFFQ69G5FA1", "01ARZ3NDEKTSV4RRFFQ69G5FA2"


@dataclass
class FakeVoiceQa:
    """Voice Q&A backend: guest credentials, lecture uploads, and answers in two pieces, a citation and a text.

    The citation quotes "words of N", where N is the last character of the lecture's id.
    """

    closes_first_connection: bool = False
    """If True, the first connection closes after the first piece of an answer."""
    is_first_question_unavailable: bool = False
    """If True, the first question fails with `UNAVAILABLE`."""
    rejects_lectures: bool = False
    """If True, every question fails with `LECTURE_REJECTED`."""
    is_first_form_refused: bool = False
    """If True, the bucket refuses the first form, as S3 does when the form has expired."""
    queries: list[dict[str, Any]] = field(default_factory=list)
    """Messages with a question. A question that is sent again has the same `queryId`."""
    posted_forms: list[str] = field(default_factory=list)
    """Lecture ids of the forms that were sent to the bucket."""
    connection_count: int = 0
    _socket: WebSocketRoute | None = None
    _lecture_ids: list[str] = field(default_factory=lambda: [FIRST_LECTURE, SECOND_LECTURE])
    """Lecture ids of the next forms."""

    def install(self, page: Page) -> None:
        fake_host(page, "cognito-identity.eu-west-1.amazonaws.com", self._get_credentials)
        page.route("https://audio.example.com/**", self._receive_form)
        page.route_web_socket(re.compile("^wss://voice-qa"), self._on_connection)

    def _get_credentials(self, _: Request) -> FakeResponse:
        keys = {"AccessKeyId": "AKIA", "SecretKey": "s", "SessionToken": "t", "Expiration": 4e9}
        return {"IdentityId": "eu-west-1:guest", "Credentials": keys}

    def _receive_form(self, route: Route) -> None:
        self.posted_forms.append(route.request.url.rpartition("/")[2])
        if self.is_first_form_refused and len(self.posted_forms) == 1:
            route.fulfill(status=403, body="<Error><Code>AccessDenied</Code></Error>", headers=CORS)
        else:
            route.fulfill(status=204, headers=CORS)

    def send(self, **message: object) -> None:
        """Send a message over the latest connection."""
        assert self._socket is not None
        self._socket.send(json.dumps(message))

    def _on_connection(self, socket: WebSocketRoute) -> None:
        self.connection_count += 1
        self._socket = socket
        is_first = self.connection_count == 1

        def on_message(message: str | bytes) -> None:
            request = json.loads(message)
            if request["action"] == "upload":
                lecture = self._lecture_ids.pop(0)
                url = f"https://audio.example.com/{lecture}"
                form = {"url": url, "fields": {}, "maxBytes": 1_000_000, "key": "k"}
                send(type="uploadReady", id=request["id"], lectureId=lecture, **form)
                return
            self.queries.append(request)
            if self.is_first_question_unavailable and len(self.queries) == 1:
                send(type="error", id=request["id"], requestId="r1", code="UNAVAILABLE", message="Ask it again.")
                return
            if self.rejects_lectures:
                error = {"code": "LECTURE_REJECTED", "message": "The recording is encrypted."}
                send(type="error", id=request["id"], requestId="r1", **error)
                return
            attempt = {"queryId": request["queryId"], "attempt": 1}
            send(type="queryAccepted", id=request["id"], sessionId="01ARZ3NDEKTSV4RRFFQ69G5FAV", **attempt)
            quote = f"words of {request['lectureId'][-1]}"
            send(type="citation", number=0, startMs=2000, endMs=3000, quote=quote, **attempt)
            if is_first and self.closes_first_connection:
                socket.close(code=1001)
                return
            send(type="text", number=1, text="An answer.", **attempt)
            send(type="answered", pieces=2, **attempt)

        def send(**message: object) -> None:
            socket.send(json.dumps(message))

        socket.on_message(on_message)


REFUSE_RECONNECTIONS = """
const RealWebSocket = WebSocket;
let count = 0;
globalThis.WebSocket = function (url, protocols) {
  count += 1;
  return new RealWebSocket(count === 2 || count === 3 ? "ws://127.0.0.1:9/" : url, protocols);
};
Object.assign(globalThis.WebSocket, { OPEN: RealWebSocket.OPEN, prototype: RealWebSocket.prototype });
"""
"""Direct the second and third connection to a closed port."""


def silent_lecture(seconds: int) -> FilePayload:
    return {"name": f"{seconds}.wav", "mimeType": "audio/wav", "buffer": silent_wav(seconds)}


def upload_lecture(page: Page, seconds: int) -> None:
    """Choose a lecture of this length, and wait for the end of its upload."""
    page.get_by_label("Choose a lecture").set_input_files(silent_lecture(seconds))
    expect(page.locator("#lectures-state")).to_contain_text(f"{seconds}.wav is uploaded")


def select_existing_lecture(page: Page) -> None:
    page.get_by_text("Use an existing lecture").click()
    page.get_by_label("Lecture id").fill(FIRST_LECTURE)


def ask_question(page: Page) -> None:
    page.get_by_label("Or write a question").fill("why?")
    page.get_by_label("Or write a question").press("Enter")
    expect(page.locator("#lectures-answers article").first.get_by_text("Answered", exact=True)).to_be_visible()


def test_an_answer_is_resumed_after_failed_reconnections(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa(closes_first_connection=True)
    with open_panel("lectures", set_up=backend.install, script=REFUSE_RECONNECTIONS) as window:
        select_existing_lecture(window.page)
        ask_question(window.page)
        assert [query["resumeFrom"] for query in backend.queries] == [0, 1], "the number of the first missing piece"
        assert len({query["queryId"] for query in backend.queries}) == 1
        assert all("127.0.0.1:9" in message for message in window.browser_messages), "errors of the closed port only"


def test_an_unavailable_question_is_retried_with_the_same_id(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa(is_first_question_unavailable=True)
    with open_panel("lectures", set_up=backend.install) as window:
        select_existing_lecture(window.page)
        ask_question(window.page)
    assert len(backend.queries) == 2
    assert len({query["queryId"] for query in backend.queries}) == 1


def test_concurrent_questions_share_one_connection(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa()
    with open_panel("lectures", set_up=backend.install) as window:
        select_existing_lecture(window.page)
        window.page.get_by_label("Or write a question").fill("why?")
        window.page.evaluate("""() => {
          const form = document.getElementById("lectures-form");
          form.requestSubmit();
          document.getElementById("lectures-text").value = "and how?";
          form.requestSubmit();
        }""")
        expect(window.page.locator("#lectures-answers").get_by_text("Answered", exact=True)).to_have_count(2)
        assert backend.connection_count == 1


def test_a_refused_form_is_replaced_by_a_new_form(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa(is_first_form_refused=True)
    with open_panel("lectures", set_up=backend.install) as window:
        upload_lecture(window.page, 15)
        expect(window.page.get_by_label("Lecture id")).to_have_value(SECOND_LECTURE)
    assert backend.posted_forms == [FIRST_LECTURE, SECOND_LECTURE]


def test_a_citation_plays_its_own_lecture(open_panel: OpenPanel) -> None:
    with open_panel("lectures", set_up=FakeVoiceQa().install) as window:
        page, player = window.page, window.page.locator("#lectures-player")
        for seconds in (15, 19):
            upload_lecture(page, seconds)
            ask_question(page)
        for quote, seconds in (("words of 1", 15), ("words of 2", 19)):
            page.get_by_role("button", name=quote).click()
            page.wait_for_function(f"document.getElementById('lectures-player').duration === {seconds}")
            page.wait_for_function("document.getElementById('lectures-player').currentTime >= 2")
        player.evaluate("(player) => player.pause()")
        page.get_by_label("Lecture id").evaluate("(field) => { field.value = '01ARZ3NDEKTSV4RRFFQ69G5FA3'; }")
        ask_question(page)
        expect(page.get_by_text("words of 3")).to_be_visible()
        # The page can only play a lecture that was chosen on it.
        expect(page.get_by_role("button", name="words of 3")).to_have_count(0)


def test_a_lecture_that_is_too_short_is_not_uploaded(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa()
    with open_panel("lectures", set_up=backend.install) as window:
        window.page.get_by_label("Choose a lecture").set_input_files(silent_lecture(4))
        expect(window.page.locator("#lectures-lecture-problem")).to_contain_text(
            "4.wav lasts 4.0 seconds, but a lecture needs at least 10."
        )
        expect(window.page.locator("#lectures-player")).to_be_hidden()
        expect(window.page.locator("#lectures-id")).to_have_value("")
    assert backend.posted_forms == []


def test_a_rejected_lecture_is_no_longer_offered(open_panel: OpenPanel) -> None:
    with open_panel("lectures", set_up=FakeVoiceQa(rejects_lectures=True).install) as window:
        page = window.page
        page.get_by_label("Choose a lecture").set_input_files(silent_lecture(15))
        expect(page.locator("#lectures-player")).to_be_visible()
        page.get_by_label("Or write a question").fill("why?")
        page.get_by_label("Or write a question").press("Enter")
        problem = page.locator("#lectures-problem")
        expect(problem).to_have_text("The recording is encrypted. ")
        expect(page.locator("#lectures-player")).to_be_hidden()
        expect(page.locator("#lectures-id")).to_have_value("")
        expect(page.locator("#lectures-state")).to_contain_text("No lecture is selected")


@pytest.mark.parametrize("is_ready", [True, False])
def test_the_report_of_a_lectures_validation_is_shown(open_panel: OpenPanel, *, is_ready: bool) -> None:
    backend = FakeVoiceQa()
    with open_panel("lectures", set_up=backend.install) as window:
        page = window.page
        upload_lecture(page, 15)
        result = {"state": "ready"} if is_ready else {"state": "rejected", "message": "It has no sound."}
        backend.send(type="lecture", lectureId=SECOND_LECTURE, **result)  # a lecture that the visitor has not selected
        expect(page.locator("#lectures-id")).to_have_value(FIRST_LECTURE)
        backend.send(type="lecture", lectureId=FIRST_LECTURE, **result)
        if is_ready:
            expect(page.locator("#lectures-state")).to_have_text("The lecture is ready. Ask a question.")
        else:
            expect(page.locator("#lectures-lecture-problem")).to_contain_text("It has no sound.")
            expect(page.locator("#lectures-id")).to_have_value("")
