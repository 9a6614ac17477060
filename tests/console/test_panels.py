"""The panels, of a stack that is played: whom they show what, and what they do when something is lost. In a browser."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser import Visit
from tests.console.fake_page import Answer, answers, becomes, played, token
from tests.console.javascript_modules import run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
MOMENT = "2026-11-01T10:00:00.000Z"


def user(request: Request) -> str:
    """Whose token a request carries."""
    part = request.headers["authorization"].split(".")[1]
    name: str = json.loads(base64.urlsafe_b64decode(part + "=="))["name"]
    return name


def episode(title: str, status: str = "ready") -> dict[str, Any]:
    tracks = {"transcript": {"state": "analyzed"}, "video": {"state": "none"}}
    return {"episodeId": "e1", "title": title, "status": status, "createdAt": MOMENT, **tracks}


def anns(request: Request) -> Answer:
    """Ann has an episode, and nobody else."""
    name, path = user(request), request.url.partition("/live/")[2].partition("?")[0]
    if path == "episodes":
        return {"episodes": [episode("Ann's plan")] if name == "ann" else []}
    claim = {"claimId": "c", "startMs": 0, "endMs": 9, "timed": True, "verdict": "refuted", "confidence": 1}
    found: dict[str, Answer] = {"claims": {"claims": [{**claim, "quote": "words of ann"}]}, "clips": {"clips": []}}
    return found.get(path.rpartition("/")[2], episode("Ann's plan"))


def opened(page: Page, title: str) -> None:
    page.get_by_role("button", name=title).click()
    expect(page.get_by_role("article", name=title)).to_be_visible()


def test_an_episode_is_not_shown_to_somebody_else(started: Browser, url: str) -> None:
    with played(started, url, "episodes", plays=lambda page: answers(page, "livestream.example.com", anns)) as other:
        page = other.page
        becomes(page, token("ann"), "ann")
        opened(page, "Ann's plan")
        expect(page.get_by_text("words of ann").first).to_be_visible()
        becomes(page, token("ann", 2), "ann")
        expect(page.get_by_role("article", name="Ann's plan")).to_be_visible()
        becomes(page, token("bob"), "bob")
        expect(page.get_by_text("None yet.").locator("visible=true")).to_be_visible()
        assert re.search("plan|words of ann", page.locator("body").inner_html()) is None


def exchanged(request: Request) -> Answer:
    """Credentials to whosever token it is."""
    part = json.loads(request.post_data or "")["token"].split(".")[1]
    name = json.loads(base64.urlsafe_b64decode(part + "=="))["name"]
    keys = {
        "accessKeyId": "AKIA",
        "secretAccessKey": "s",
        "sessionToken": "t",
        "renewAfter": "2100-01-01T00:00:00.000Z",
    }
    return {"user": name, **keys, "bucketName": "recordings", "tableName": "t", "prefixes": {"raw": f"raw/{name}/"}}


def item(title: str, status: str = "processing") -> dict[str, Any]:
    texts = {"meetingId": "m", "title": title, "startedAt": MOMENT, "status": status, "stage": "transcription"}
    return {**{name: {"S": one} for name, one in texts.items()}, "participants": {"L": []}, "tags": {"L": []}}


class Recordings:
    """The meetings backend."""

    def __init__(self) -> None:
        self.puts: list[str] = []
        self.looked: Answer = {"Item": item("Weekly")}
        """What a look at a meeting gives."""
        self.listed: Callable[[str], list[Any]] = lambda _: []
        """A user's meetings."""

    def plays(self, page: Page) -> None:
        answers(page, "meetings.example.com", exchanged)
        answers(page, "dynamodb.eu-west-1.amazonaws.com", self._table)
        answers(page, "recordings.s3.eu-west-1.amazonaws.com", self._bucket)

    def _bucket(self, request: Request) -> Answer:
        self.puts.append(request.url.rpartition("/")[2])
        return 200

    def _table(self, request: Request) -> Answer:
        if request.headers["x-amz-target"].endswith("GetItem"):
            return self.looked
        return {"Items": self.listed(asked_by(request))}


def asked_by(request: Request) -> str:
    """Who asks for a list; nobody if it is another request."""
    if request.headers.get("x-amz-target", "").endswith(".Query"):
        return "bob" if "bob" in (request.post_data or "") else "ann"
    is_list = request.method == "GET" and "/episodes?" in request.url
    return user(request) if is_list else ""


@pytest.mark.parametrize("panel", ["episodes", "meetings"])
def test_a_list_that_comes_late_is_not_shown_to_somebody_else(started: Browser, url: str, panel: str) -> None:
    held: list[Route] = []
    recordings = Recordings()
    recordings.listed = lambda name: [item("Ann's plan")] if name == "ann" else []

    def plays(page: Page) -> None:
        answers(page, "livestream.example.com", anns)
        recordings.plays(page)
        page.route(re.compile("^https:"), lambda one: held.append(one) if is_first(one.request) else one.fallback())

    def is_first(request: Request) -> bool:
        return not held and asked_by(request) == "ann"

    with played(started, url, panel, plays=plays) as other:
        page = other.page
        with page.expect_request(lambda request: asked_by(request) == "ann"):
            becomes(page, token("ann"), "ann")
        with page.expect_response(lambda response: asked_by(response.request) == "bob"):
            becomes(page, token("bob"), "bob")
        with page.expect_response(lambda response: response.request == held[0].request) as late:
            held[0].fallback()
        late.value.finished()
        expect(page.locator(f"#{panel}-again")).to_be_enabled()
        assert page.locator(f"#{panel}-list li").count() == 0
        becomes(page, token("ann", 2), "ann")
        expect(page.locator(f"#{panel}-list li")).to_have_count(1)


def uploading(visitor: Visit, title: str) -> None:
    page = visitor.page
    page.get_by_label("Title").locator("visible=true").fill(title)
    page.get_by_label("Recording: one file").set_input_files({"name": "a.webm", "mimeType": "", "buffer": b"a"})
    page.get_by_role("button", name="Upload").press("Enter")


def test_an_upload_goes_on_and_is_shown_under_a_new_token_of_the_same_visitor(started: Browser, url: str) -> None:
    recordings = Recordings()
    held: list[Route] = []
    with played(started, url, "meetings", plays=recordings.plays) as other:
        page = other.page
        is_first = re.compile(r"/00000\.webm$")
        page.route(is_first, lambda one: one.fallback() if one.request.method == "OPTIONS" else held.append(one))
        becomes(page, token("ann"), "ann")
        with page.expect_request(lambda request: request.method == "PUT"):
            uploading(other, "Weekly")
        becomes(page, token("ann", 2), "ann")
        held[0].fallback()
        expect(page.get_by_role("article", name="Weekly")).to_be_visible()
        expect(page.locator("#meetings-status")).to_have_text("processing")
        becomes(page, token("ann", 3), "ann")
        expect(page.get_by_role("article", name="Weekly")).to_be_visible()
        assert page.locator("#meetings-title").input_value() == ""
        assert recordings.puts == ["00000.webm", "complete.json"]


def test_another_recording_can_be_uploaded_while_one_is_looked_after(started: Browser, url: str) -> None:
    recordings = Recordings()
    with played(started, url, "meetings", plays=recordings.plays) as other:
        becomes(other.page, token("ann"), "ann")
        for number in (1, 2):
            uploading(other, f"Weekly {number}")
            expect(other.page.locator("#meetings-status")).to_have_text("processing")
            expect(other.page.locator("#meetings-title")).to_have_value("")
            expect(other.page.locator("#meetings-one")).to_be_focused()
            other.page.locator("#meetings-new > summary").click()
        assert recordings.puts == ["00000.webm", "complete.json"] * 2


def test_a_meeting_is_looked_after_though_a_look_fails(started: Browser, url: str) -> None:
    recordings = Recordings()
    recordings.looked = 503
    with played(started, url, "meetings", plays=recordings.plays) as other:
        becomes(other.page, token("ann"), "ann")
        uploading(other, "Weekly")
        expect(other.page.locator("#meetings-problem")).to_contain_text("HTTP 503")
        recordings.looked = {"Item": item("Weekly", "failed")}
        expect(other.page.locator("#meetings-status")).to_have_text("failed")
        expect(other.page.locator("#meetings-problem")).to_be_hidden()


@contextmanager
def looking_after(started: Browser, url: str) -> Iterator[tuple[Visit, list[Answer]]]:
    """A visitor who looks at an episode that is worked on; and what a look at it gives: the last of these."""
    looked: list[Answer] = [episode("Plan", "processing")]

    def answer(request: Request) -> Answer:
        if request.url.endswith("/episodes/e1"):
            return looked[-1]
        return {"episodes": [episode("Plan")], "claims": [], "clips": []}

    with played(started, url, "episodes", plays=lambda page: answers(page, "livestream.example.com", answer)) as other:
        becomes(other.page, token("ann"), "ann")
        opened(other.page, "Plan")
        yield other, looked


@pytest.mark.parametrize("status", [429, 503])
def test_an_episode_is_looked_after_though_a_look_fails(started: Browser, url: str, status: int) -> None:
    with looking_after(started, url) as (other, looked):
        looked.append(status)
        expect(other.page.locator("#episodes-problem")).to_contain_text(f"HTTP {status}")
        looked.append(episode("Plan"))
        expect(other.page.locator("#episodes-status")).to_have_text("ready")
        expect(other.page.locator("#episodes-problem")).to_be_hidden()


def test_an_episode_is_looked_after_under_a_new_token_where_one_has_ended(started: Browser, url: str) -> None:
    with looking_after(started, url) as (other, looked):
        looked.append(401)
        expect(other.page.locator("#episodes-problem")).to_contain_text("Sign in at the top")
        looked.append(episode("Plan"))
        becomes(other.page, token("ann", 2), "ann")
        expect(other.page.locator("#episodes-status")).to_have_text("ready")
        expect(other.page.locator("#episodes-problem")).to_be_hidden()


def test_what_may_not_be_looked_at_is_not_asked_for_again_by_itself(page: Visit) -> None:
    script = """
    const { Problem } = await import("/lib/problems.js");
    const [visitor, node] = [Object.assign(new EventTarget(), { visits: 0 }), document.createElement("p")];
    const moments = async () => { for (let one = 0; one < 20; one += 1) await null; };
    let looks = 0;
    let wanted = true;
    const changes = () => { visitor.visits += 1; visitor.dispatchEvent(new Event("change")); };
    const told = [];
    const ended = it.watch(visitor, node, () => wanted, async () => {
      looks += 1;
      if (looks === 2) changes(); // while it looks
      throw new Problem("No.");
    });
    for (const change of [() => {}, changes, () => { wanted = false; changes(); }]) {
      change();
      await moments();
      told.push(looks);
    }
    await ended;
    return told;
    """
    assert run(page, "watch", script) == [1, 3, 3]
