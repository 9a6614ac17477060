"""Tests of the lectures panel against a fake stack: reconnection, retries, and citations of several lectures.

A visitor uploads a lecture with a presigned form, and asks questions about it. An answer arrives in numbered pieces.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Request, Route, WebSocketRoute, expect

from tests.console.fake_stack import CORS, FakeResponse, OpenPanel, fake_host, silent_wav

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
LECTURE_IDS = (f"01ARZ3NDEKTSV4RRFFQ69G{number:04}" for number in count())
"""Ids of lectures. Each is used once, because the tests share a page, which remembers the lectures."""
STORED_ANSWER_URL = "https://audio.example.com/answer.jsonl"


@dataclass
class FakeVoiceQa:
    """Voice Q&A backend: guest credentials, lecture uploads, and answers in two pieces, a citation and a text.

    The citation quotes "words of <lecture id>".
    """

    closes_first_connection: bool = False
    """If True, the first connection closes after the first piece of an answer. The second connection gets only the end, and
    the answer is stored.
    """
    failures: list[str] = field(default_factory=list)
    """Error codes of the next questions, which fail."""
    is_first_form_refused: bool = False
    """If True, the bucket refuses the first form, as S3 does when the form has expired."""
    report: dict[str, str] = field(default_factory=lambda: {"state": "pending"})
    """State of all uploaded lectures."""
    queries: list[dict[str, Any]] = field(default_factory=list)
    """Messages with a question. A question that is sent again has the same `queryId`."""
    posted_forms: list[str] = field(default_factory=list)
    """Lecture ids of the forms that were sent to the bucket."""
    sockets: list[WebSocketRoute] = field(default_factory=list)
    """All connections of the page, in order."""

    def install(self, page: Page) -> None:
        fake_host(page, "cognito-identity.eu-west-1.amazonaws.com", self._get_credentials)
        page.route("https://audio.example.com/**", self._receive_form)
        page.route(STORED_ANSWER_URL, lambda route: route.fulfill(body=self._stored_answer(), headers=CORS))
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
        self.sockets[-1].send(json.dumps(message))

    def _on_connection(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        is_first = len(self.sockets) == 1

        def on_message(message: str | bytes) -> None:
            request = json.loads(message)
            if request["action"] == "upload":
                lecture = next(LECTURE_IDS)
                form = {"url": f"https://audio.example.com/{lecture}", "fields": {}, "maxBytes": 1_000_000, "key": "k"}
                self.send(type="uploadReady", id=request["id"], lectureId=lecture, **form)
                return
            if request["action"] == "lecture":
                self.send(type="lecture", id=request["id"], lectureId=request["lectureId"], **self.report)
                return
            self.queries.append(request)
            if self.failures:
                error = {"code": self.failures.pop(0), "message": "The recording is encrypted."}
                self.send(type="error", id=request["id"], requestId="r1", **error)
                return
            citation, text = self._pieces()
            accepted = {"type": "queryAccepted", "id": request["id"], "sessionId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
            answered = {"type": "answered", "pieces": 2, "queryId": request["queryId"], "attempt": 1}
            sent = [accepted, citation, text, answered]
            if self.closes_first_connection:
                stored = accepted | {"piecesUrl": STORED_ANSWER_URL}
                sent = ([accepted, citation], [accepted, answered], [stored])[len(self.queries) - 1]
            for fields in sent:
                self.send(**fields)
            if is_first and self.closes_first_connection:
                socket.close(code=1001)

        socket.on_message(on_message)

    def _pieces(self) -> list[dict[str, Any]]:
        """Return the pieces of the answer to the latest question."""
        attempt = {"queryId": self.queries[-1]["queryId"], "attempt": 1}
        quote = f"words of {self.queries[-1]['lectureId']}"
        citation = {"type": "citation", "number": 0, "startMs": 2000, "endMs": 3000, "quote": quote}
        return [citation | attempt, {"type": "text", "number": 1, "text": "An answer."} | attempt]

    def _stored_answer(self) -> str:
        return "".join(f"{json.dumps(piece)}\n" for piece in self._pieces())


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


@pytest.fixture(scope="module")
def page(open_panel: OpenPanel) -> Iterator[Page]:
    """Page that most tests of this module share. Each test asks with another lecture."""
    with open_panel("lectures") as window:
        yield window.page


@pytest.fixture
def backend(page: Page) -> Iterator[FakeVoiceQa]:
    """Backend of the shared page during a test. At the end of the test, it closes its connection. No lecture is selected
    then, so that the page does not connect again to ask for the lecture's state.
    """
    fake = FakeVoiceQa()
    fake.install(page)
    yield fake
    select_lecture(page, "")
    for socket in fake.sockets:
        socket.close(code=1001)


def upload_lecture(page: Page, seconds: int) -> str:
    """Choose a silent lecture of this length, wait for the end of its upload, and return its id."""
    state = page.locator("#lectures-state")
    state.evaluate("(node) => { node.textContent = ''; }")
    choose_lecture(page, seconds)
    expect(state).to_contain_text(f"{seconds}.wav is uploaded")
    return page.locator("#lectures-id").input_value()


def choose_lecture(page: Page, seconds: int) -> None:
    lecture: FilePayload = {"name": f"{seconds}.wav", "mimeType": "audio/wav", "buffer": silent_wav(seconds)}
    page.get_by_label("Choose a lecture").set_input_files(lecture)


def select_lecture(page: Page, lecture_id: str) -> None:
    """Enter the id of a lecture that was not uploaded on this page."""
    page.locator("#lectures-other").evaluate("(details) => { details.open = true; }")
    page.get_by_label("Lecture id").fill(lecture_id)


def write_question(page: Page) -> None:
    page.get_by_label("Or write a question").fill("why?")
    page.get_by_label("Or write a question").press("Enter")


def ask_question(page: Page) -> None:
    """Write a question and wait for its answer."""
    answered = page.locator("#lectures-answers").get_by_text("Answered", exact=True)
    count_before = answered.count()
    write_question(page)
    expect(answered).to_have_count(count_before + 1)


def test_the_stored_answer_is_fetched_after_failed_reconnections(open_panel: OpenPanel) -> None:
    backend = FakeVoiceQa(closes_first_connection=True)
    with open_panel("lectures", set_up=backend.install, script=REFUSE_RECONNECTIONS) as window:
        select_lecture(window.page, next(LECTURE_IDS))
        ask_question(window.page)
        expect(window.page.get_by_text("An answer.", exact=True)).to_be_visible()
        assert len(backend.queries) == 3, "at first, after the reconnection, and after the end of the answer"
        assert len({query["queryId"] for query in backend.queries}) == 1
        assert all("127.0.0.1:9" in message for message in window.browser_messages), "errors of the closed port only"


def test_an_unavailable_question_is_retried_with_the_same_id(page: Page, backend: FakeVoiceQa) -> None:
    backend.failures = ["UNAVAILABLE"]
    select_lecture(page, next(LECTURE_IDS))
    ask_question(page)
    assert len(backend.queries) == 2
    assert len({query["queryId"] for query in backend.queries}) == 1


def test_concurrent_questions_share_one_connection(page: Page, backend: FakeVoiceQa) -> None:
    select_lecture(page, next(LECTURE_IDS))
    page.get_by_label("Or write a question").fill("why?")
    page.evaluate("""() => {
      const form = document.getElementById("lectures-form");
      form.requestSubmit();
      document.getElementById("lectures-text").value = "and how?";
      form.requestSubmit();
    }""")
    expect(page.get_by_text("and how?")).to_be_visible()
    expect(page.locator("#lectures-answers").get_by_text(re.compile("^(Asking|Answering)$"))).to_have_count(0)
    assert (len(backend.queries), len(backend.sockets)) == (2, 1)


def test_a_refused_form_is_replaced_and_the_page_shows_when_the_lecture_is_ready(
    page: Page, backend: FakeVoiceQa
) -> None:
    backend.is_first_form_refused = True
    lecture = upload_lecture(page, 15)
    _, second_form = backend.posted_forms
    assert second_form == lecture
    backend.report = {"state": "ready"}
    expect(page.locator("#lectures-state")).to_have_text("The lecture is ready. Ask a question.")
    expect(page.locator("#lectures-id")).to_have_value(lecture)
    expect(page.locator("#lectures-lecture-problem")).to_be_hidden()


@pytest.mark.usefixtures("backend")
def test_a_citation_plays_its_own_lecture(page: Page) -> None:
    lectures: dict[str, int] = {}
    for seconds in (15, 19):
        lectures[upload_lecture(page, seconds)] = seconds
        ask_question(page)
    for lecture, seconds in lectures.items():
        page.get_by_role("button", name=f"words of {lecture}").click()
        page.wait_for_function(f"document.getElementById('lectures-player').duration === {seconds}")
        page.wait_for_function("document.getElementById('lectures-player').currentTime >= 2")
    page.locator("#lectures-player").evaluate("(player) => player.pause()")
    other_lecture = next(LECTURE_IDS)
    select_lecture(page, other_lecture)
    ask_question(page)
    expect(page.get_by_text(f"words of {other_lecture}")).to_be_visible()
    # The page can only play a lecture that was chosen on it.
    expect(page.get_by_role("button", name=f"words of {other_lecture}")).to_have_count(0)


def test_a_lecture_that_is_too_short_is_not_uploaded(page: Page, backend: FakeVoiceQa) -> None:
    select_lecture(page, "")
    choose_lecture(page, 4)
    expect(page.locator("#lectures-lecture-problem")).to_contain_text(
        "4.wav lasts 4.0 seconds, but a lecture needs at least 10."
    )
    expect(page.locator("#lectures-id")).to_have_value("")
    assert backend.posted_forms == []


def test_a_rejected_lecture_is_no_longer_offered(page: Page, backend: FakeVoiceQa) -> None:
    """The page learns of the rejection from the answer to a question, or from the report of the validation."""
    backend.failures = ["LECTURE_REJECTED"]
    upload_lecture(page, 15)
    write_question(page)
    expect(page.locator("#lectures-problem")).to_have_text("The recording is encrypted. ")
    expect_no_lecture(page)
    upload_lecture(page, 15)
    backend.report = {"state": "rejected", "message": "It has no sound."}
    expect(page.locator("#lectures-lecture-problem")).to_contain_text("It has no sound.")
    expect_no_lecture(page)


def expect_no_lecture(page: Page) -> None:
    expect(page.locator("#lectures-player")).to_be_hidden()
    expect(page.locator("#lectures-id")).to_have_value("")
    expect(page.locator("#lectures-state")).to_contain_text("No lecture is selected")
