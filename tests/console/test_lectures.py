"""Lectures, of a stack that is played: connections that do not come back at once, and citations of several. In a browser."""

import io
import json
import re
import wave
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Request, WebSocketRoute, expect

from tests.console.fake_page import Answer, answers, played

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
FIRST, SECOND = "01ARZ3NDEKTSV4RRFFQ69G5FA1", "01ARZ3NDEKTSV4RRFFQ69G5FA2"


class Lectures:
    """The voice Q&A backend: a guest's credentials, uploads, and answers in two pieces."""

    def __init__(self, *, breaks: bool = False, unavailable: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self._uploads = [FIRST, SECOND]
        self._breaks = breaks
        """Whether the first connection breaks between them."""
        self._unavailable = unavailable
        """Whether the first question cannot be taken."""

    def plays(self, page: Page) -> None:
        answers(page, "cognito-identity.eu-west-1.amazonaws.com", self._guest)
        answers(page, "audio.example.com", lambda _: 204)
        page.route_web_socket(re.compile("^wss://voice-qa"), self._says)

    def _guest(self, _: Request) -> Answer:
        keys = {"AccessKeyId": "AKIA", "SecretKey": "s", "SessionToken": "t", "Expiration": 4e9}
        return {"IdentityId": "eu-west-1:guest", "Credentials": keys}

    def _says(self, socket: WebSocketRoute) -> None:
        self.connections += 1
        first = self.connections == 1

        def answered(message: str | bytes) -> None:
            asked = json.loads(message)
            if asked["action"] == "upload":
                form = {"url": "https://audio.example.com/", "fields": {}, "maxBytes": 1_000_000, "key": "k"}
                say(type="uploadReady", id=asked["id"], lectureId=self._uploads.pop(0), **form)
                return
            self.asked.append(asked)
            if self._unavailable and len(self.asked) == 1:
                say(type="error", id=asked["id"], requestId="r1", code="UNAVAILABLE", message="Ask it again.")
                return
            of = {"queryId": asked["queryId"], "attempt": 1}
            say(type="queryAccepted", id=asked["id"], sessionId="01ARZ3NDEKTSV4RRFFQ69G5FAV", **of)
            quote = f"words of {asked['lectureId'][-1]}"
            say(type="citation", number=0, startMs=2000, endMs=3000, quote=quote, **of)
            if first and self._breaks:
                socket.close(code=1001)
                return
            say(type="text", number=1, text="An answer.", **of)
            say(type="answered", pieces=2, **of)

        def say(**message: object) -> None:
            socket.send(json.dumps(message))

        socket.on_message(answered)


UNREACHED = """
const Real = WebSocket;
let count = 0;
globalThis.WebSocket = function (url, protocols) {
  count += 1;
  return new Real(count === 2 || count === 3 ? "ws://127.0.0.1:9/" : url, protocols);
};
Object.assign(globalThis.WebSocket, { OPEN: Real.OPEN, prototype: Real.prototype });
"""
"""Nobody is there for the second connection, nor for the third."""


def sound(seconds: int) -> FilePayload:
    """A lecture that is silent."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000 * seconds))
    return {"name": f"{seconds}.wav", "mimeType": "audio/wav", "buffer": made.getvalue()}


def asks_of_one_that_is_there(page: Page) -> None:
    page.get_by_text("Use an existing lecture").click()
    page.get_by_label("Lecture id").fill(FIRST)


def answered(page: Page) -> None:
    page.get_by_label("Or write a question").fill("why?")
    page.get_by_label("Or write a question").press("Enter")
    expect(page.locator("#lectures-answers article").first.get_by_text("Answered", exact=True)).to_be_visible()


def test_an_answer_goes_on_though_no_connection_comes_back_at_once(started: Browser, url: str) -> None:
    backend = Lectures(breaks=True)
    with played(started, url, "lectures", plays=backend.plays, script=UNREACHED) as other:
        asks_of_one_that_is_there(other.page)
        answered(other.page)
        assert [one.get("resumeFrom") for one in backend.asked] == [0, 1]
        assert len({one["queryId"] for one in backend.asked}) == 1
        assert all("127.0.0.1:9" in one for one in other.complaints), "by the browser, of what was not there"


def test_a_question_that_could_not_be_taken_is_asked_again_under_its_name(started: Browser, url: str) -> None:
    backend = Lectures(unavailable=True)
    with played(started, url, "lectures", plays=backend.plays) as other:
        asks_of_one_that_is_there(other.page)
        answered(other.page)
    assert len(backend.asked) == 2
    assert len({one["queryId"] for one in backend.asked}) == 1


def test_two_who_need_the_connection_share_one(started: Browser, url: str) -> None:
    backend = Lectures()
    with played(started, url, "lectures", plays=backend.plays) as other:
        asks_of_one_that_is_there(other.page)
        other.page.get_by_label("Or write a question").fill("why?")
        other.page.evaluate("""() => {
          const form = document.getElementById("lectures-form");
          form.requestSubmit();
          document.getElementById("lectures-text").value = "and how?";
          form.requestSubmit();
        }""")
        expect(other.page.locator("#lectures-answers").get_by_text("Answered", exact=True)).to_have_count(2)
        assert backend.connections == 1


def test_a_citation_leads_into_its_own_lecture(started: Browser, url: str) -> None:
    with played(started, url, "lectures", plays=Lectures().plays) as other:
        page, player = other.page, other.page.locator("#lectures-player")
        for seconds in (5, 9):
            page.get_by_label("Choose a lecture").set_input_files(sound(seconds))
            expect(page.locator("#lectures-state")).to_contain_text(f"{seconds}.wav is uploaded")
            answered(page)
        for words, seconds in (("words of 1", 5), ("words of 2", 9)):
            page.get_by_role("button", name=words).click()
            page.wait_for_function(f"document.getElementById('lectures-player').duration === {seconds}")
            page.wait_for_function("document.getElementById('lectures-player').currentTime >= 2")
        player.evaluate("(one) => one.pause()")
        page.get_by_label("Lecture id").evaluate("(one) => { one.value = '01ARZ3NDEKTSV4RRFFQ69G5FA3'; }")
        answered(page)
        expect(page.get_by_text("words of 3")).to_be_visible()
        expect(page.get_by_role("button", name="words of 3")).to_have_count(0)
