"""Lectures: asked by voice and in writing, answered over connections that break."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from local.flows import eventually
from local.flows.voice_qa_scenario import LECTURE
from local.services import tones
from local.services.audio import encoded
from tests.browser import SAMPLE_RATE, Visit, visit
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.visiting import MARKS, broken_once, pictured

pytestmark = MARKS


ANSWER = "At 0:02 you hear: we speak in tones and captions."


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lecture") / "lecture.ogg"
    path.write_bytes(encoded(tones.speech(LECTURE.split(), SAMPLE_RATE), SAMPLE_RATE, "ogg-opus"))
    return path


PLAYED = """() => {
  window.played = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...when) { window.played += 1; return start.apply(this, when); };
}"""


def answer(page: Page) -> Locator:
    """The newest one."""
    return page.locator("#lectures-answers article").first


def test_a_lecture_is_asked_by_voice_and_in_writing(visitor: Visit, page: Page, lecture: Path) -> None:
    visitor.tab("Lectures")
    page.evaluate(PLAYED)
    page.get_by_label("Choose a lecture").set_input_files(lecture)
    expect(page.locator("#lectures-player")).to_be_visible()
    page.get_by_label("Or write it").fill("come back")
    page.get_by_label("Or write it").press("Enter")
    expect(answer(page).get_by_text("Answered")).to_be_visible()
    expect(answer(page)).to_contain_text("At 0:08 you hear: come back in the world.")
    ask = page.locator("#lectures-ask")
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    began = time.monotonic()
    eventually(lambda: True if time.monotonic() - began > 1.8 else None, "speech in the recording")
    ask.click()
    expect(page.locator("#lectures-answers article")).to_have_count(2)
    expect(answer(page).get_by_text("Answered")).to_be_visible()
    expect(answer(page).locator(".answer")).to_have_text(ANSWER)
    assert "captions" in answer(page).locator(".asked").inner_text()
    assert page.evaluate("window.played") >= 2, "both answers are heard"
    jump = answer(page).get_by_role("button", name="Play the lecture from 0:02")
    jump.click()
    assert page.locator("#lectures-player").evaluate("(one) => one.currentTime") == pytest.approx(2.6, abs=0.9)
    page.locator("#lectures-player").evaluate("(one) => one.pause()")
    pictured(visitor, "lectures")


def is_answered(visitor: Visit, lecture: Path) -> None:
    """A lecture is uploaded, asked about in writing, and answers."""
    visitor.open("lectures")
    visitor.page.get_by_label("Choose a lecture").set_input_files(lecture)
    expect(visitor.page.locator("#lectures-player")).to_be_visible()
    visitor.page.get_by_label("Or write it").fill("tones captions")
    visitor.page.get_by_label("Or write it").press("Enter")
    expect(answer(visitor.page).get_by_text("Answered")).to_be_visible()
    expect(answer(visitor.page).locator(".answer")).to_have_text(ANSWER)


def unavailable_once(page: Page, url: str) -> list[dict[str, Any]]:
    """Answers the first question as a stack does that cannot take it; gives all that were asked."""
    asked: list[dict[str, Any]] = []

    def handle(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def from_page(message: str | bytes) -> None:
            said = json.loads(message)
            if said["action"] == "query":
                asked.append(said)
                if len(asked) == 1:
                    error = {"code": "UNAVAILABLE", "message": "The question could not be taken. Ask it again."}
                    socket.send(json.dumps({"type": "error", "id": said["id"], "requestId": "r1", **error}))
                    return
            server.send(message)

        socket.on_message(from_page)

    page.route_web_socket(f"{url}**", handle)
    return asked


def test_a_question_that_could_not_be_taken_is_asked_again_under_its_name(
    started: Browser, url: str, platform: Platform, lecture: Path
) -> None:
    with visit(started, url) as other:
        asked = unavailable_once(other.page, platform.outputs["frontend"]["voiceQa"]["url"])
        is_answered(other, lecture)
    assert len(asked) > 1
    assert len({one["queryId"] for one in asked}) == 1


def test_an_answer_goes_on_after_the_connection_broke(
    started: Browser, url: str, platform: Platform, lecture: Path
) -> None:
    with visit(started, url) as other:
        sent = broken_once(other.page, platform.outputs["frontend"]["voiceQa"]["url"], '"number":2')
        is_answered(other, lecture)
    assert len(sent) == 2
    assert '"resumeFrom":2' in sent[1]
