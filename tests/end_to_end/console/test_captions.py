"""Captions: of recordings and of speech, over connections that break."""

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from local.flows import eventually
from tests.browser import Visit, spoken, visit
from tests.end_to_end.conftest import Platform
from tests.end_to_end.console.visiting import MARKS, broken_once, pictured

pytestmark = MARKS


SAID = "hello world this is a live test of the stream we speak . good day . thank you again ."


CAPTIONS = ["Hello world this is a live test of the stream we speak.", "Good day.", "Thank you again."]


def lines(page: Page) -> list[str]:
    return page.locator("#captions-screen .final").all_inner_texts()


def test_a_recording_becomes_captions(visitor: Visit, page: Page, tmp_path: Path) -> None:
    visitor.tab("Captions")
    page.get_by_label("Choose a file").set_input_files(spoken(tmp_path / "said.wav", SAID))
    expect(page.locator("#captions-state")).to_have_text("Utterances: 3 done")
    assert lines(page) == CAPTIONS
    expect(page.get_by_role("log")).to_contain_text("Thank you again.")
    pictured(visitor, "captions", page.locator("header"))


def test_speech_becomes_captions(visitor: Visit, page: Page) -> None:
    visitor.tab("Captions")
    speak = page.locator("#captions-speak")
    expect(speak).to_be_enabled()  # a recording may still be on its way, and a key press waits for nothing
    speak.press("Enter")
    expect(speak).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#captions-screen .final", has_text="Tones and captions.").first).to_be_visible()
    speak.press("Enter")
    expect(speak).to_be_enabled()
    expect(speak).to_have_text("Start speaking")
    # A busy machine's sound device may drop a word, and the microphone goes on in the middle of another sentence.
    assert {word.strip(".").lower() for line in lines(page) for word in line.split()} == {"tones", "and", "captions"}


def test_words_show_before_they_are_final_and_troubles_are_told(started: Browser, url: str, tmp_path: Path) -> None:
    """Over a socket that speaks for the platform: how captions grow there depends on the pace of the machine."""
    session, sockets = {"sessionId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, list[WebSocketRoute]()
    line = {"type": "caption", "utterance": "u1", "sequence": 1, "resultId": "r1", "startMs": 0, "endMs": 9, **session}

    def say(**message: object) -> None:
        sockets[0].send(json.dumps(message))

    def platform_says(socket: WebSocketRoute) -> None:
        sockets.append(socket)

        def answered(message: str | bytes) -> None:
            asked = json.loads(message)
            kind = {"open": "opened", "audio": "accepted", "close": "closed"}[asked["action"]]
            more = {"expiresAt": "", "inFlight": 1} if kind == "opened" else {"utterance": asked.get("utterance")}
            say(type=kind, id=asked["id"], **session, **more)
            if asked.get("utterance") == "u1":
                say(**line, revision=1, text="Hello wor", final=False)

        socket.on_message(answered)

    with visit(started, url) as other:
        other.page.route_web_socket(re.compile("^ws://"), platform_says)
        other.open("captions")
        other.page.get_by_label("Choose a file").set_input_files(spoken(tmp_path / "said.wav", SAID))
        expect(other.page.locator("#captions-screen .growing")).to_have_text("Hello wor")
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 1 on their way, 2 waiting")
        say(**line, revision=2, text="Hello world.", final=True)
        say(type="done", utterance="u1", sequence=1, finals=1, **session)
        expect(other.page.locator("#captions-screen .final")).to_have_text("Hello world.")
        expect(other.page.locator("#captions-screen .growing")).to_have_count(0)
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 1 on their way, 1 waiting, 1 done")
        say(type="error", code="NOT_TRANSCRIBED", message="It failed three times.", utterance="u2", **session)
        expect(other.page.locator("#captions-problem")).to_contain_text("NOT_TRANSCRIBED: It failed three times.")
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 1 on their way, 1 done, 1 lost")
        again = {"utterance": "u3", "fromMs": 0}
        say(type="resend", utterances=[again], **session)
        say(type="done", utterance="u3", sequence=3, finals=0, **session)
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 2 done, 1 lost")
        assert other.complaints == []


def test_captions_go_on_after_the_connection_broke(
    started: Browser, url: str, platform: Platform, tmp_path: Path
) -> None:
    with visit(started, url) as other:
        sent = broken_once(other.page, platform.outputs["frontend"]["transcription"]["url"], '"accepted"')
        other.open("captions")
        other.page.get_by_label("Choose a file").set_input_files(
            spoken(tmp_path / "said.wav", "good day . thank you again .")
        )
        expect(other.page.locator("#captions-state")).to_have_text("Utterances: 2 done")
        assert lines(other.page) == CAPTIONS[1:]
    assert len(sent) == 2
    assert '"sessionId"' in sent[1].splitlines()[0], "the session goes on"


def gone_for_good(page: Page, after: str) -> list[WebSocketRoute]:
    """A socket that speaks for the platform until it has answered this, and then is never there again."""
    sockets: list[WebSocketRoute] = []
    session = {"sessionId": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "expiresAt": "", "inFlight": 1}

    def platform_says(socket: WebSocketRoute) -> None:
        sockets.append(socket)

        def answered(message: str | bytes) -> None:
            asked = json.loads(message)
            if asked["action"] == "open" and socket is sockets[0]:
                socket.send(json.dumps({"type": "opened", "id": asked["id"], **session}))
            if asked["action"] == after or socket is not sockets[0]:
                socket.close(code=1001)

        socket.on_message(answered)

    page.route_web_socket(re.compile("^ws://"), platform_says)
    return sockets


HURRIED = """
const wait = window.setTimeout;
window.setTimeout = (act, ms, ...more) => wait(act, ms >= 1000 && ms <= 4000 ? ms / 20 : ms, ...more);
const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.allowed = new Promise((resolve) => { window.allow = resolve; });
navigator.mediaDevices.getUserMedia = async (what) => {
  await window.allowed;
  return (window.heard = await asked(what));
};
"""
"""Pauses between connections are short; the microphone is allowed when the test says so, and can be looked at."""


ENDED = "window.heard?.getTracks().every((one) => one.readyState === 'ended') || null"


def test_a_microphone_is_let_go_once_no_connection_comes_back(started: Browser, url: str) -> None:
    with visit(started, url) as other:
        sockets = gone_for_good(other.page, after="audio")
        other.page.add_init_script(HURRIED)
        other.open("captions")
        other.evaluate("window.allow()")
        speak = other.page.locator("#captions-speak")
        speak.click()
        expect(speak).to_have_attribute("aria-pressed", "true")
        expect(speak).to_have_text("Start speaking")
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        expect(other.page.locator("#captions-state")).to_have_text(re.compile(r"^Utterances: \d+ lost$"))
        assert len(sockets) == 6, "the first one, and five tries to have it back"
        eventually(lambda: other.evaluate(ENDED), "the microphone is let go")


def test_a_microphone_that_is_allowed_too_late_is_let_go(started: Browser, url: str) -> None:
    with visit(started, url) as other:
        gone_for_good(other.page, after="open")
        other.page.add_init_script(HURRIED)
        other.open("captions")
        other.page.locator("#captions-speak").click()
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")
        other.evaluate("window.allow()")
        eventually(lambda: other.evaluate(ENDED), "the microphone is let go")
        expect(other.page.locator("#captions-speak")).to_have_attribute("aria-pressed", "false")
        expect(other.page.locator("#captions-problem")).to_contain_text("The connection broke.")
