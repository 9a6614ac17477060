"""Tests of the episodes and meetings panels against a fake stack: changes of the user, uploads, and polling."""

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Request, Route, expect

from tests.browser import ConsoleWindow
from tests.console.fake_stack import CORS, FakeResponse, OpenPanel, fake_host, make_token, sign_in, silent_wav
from tests.console.javascript_modules import run_script

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
CREATED_AT = "2026-11-01T10:00:00.000Z"
BUCKET_URL = "https://recordings.s3.eu-west-1.amazonaws.com"


def token_name(token: str) -> str:
    """Return the name in a token."""
    return str(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["name"])


def token_user(request: Request) -> str:
    """Return the user of the token with which a request is sent."""
    return token_name(request.headers["authorization"])


def episode(title: str, status: str = "ready") -> dict[str, Any]:
    """Return an episode of the livestream API. Its tracks are the states of its transcript and its video."""
    tracks = {"transcript": {"state": "analyzed"}, "video": {"state": "none"}}
    return {"episodeId": "e1", "title": title, "status": status, "createdAt": CREATED_AT, **tracks}


def respond_with_anns_episode(request: Request) -> FakeResponse:
    """Answer a request of the livestream API. Only ann has an episode."""
    path = request.url.partition("/live/")[2].partition("?")[0]
    if path == "episodes":
        return {"episodes": [episode("Ann's plan")] if token_user(request) == "ann" else []}
    if path.endswith("/claims"):
        claim = {"claimId": "c", "startMs": 0, "endMs": 9, "verdict": "refuted", "confidence": 1}
        return {"claims": [{**claim, "quote": "words of ann"}]}
    if path.endswith("/clips"):
        return {"clips": []}
    return episode("Ann's plan")


def open_episode(page: Page, title: str) -> None:
    page.get_by_role("button", name=title).click()
    expect(page.get_by_role("article", name=title)).to_be_visible()


def test_an_episode_of_one_user_is_not_shown_to_another(open_panel: OpenPanel) -> None:
    set_up = partial(fake_host, host="livestream.example.com", respond=respond_with_anns_episode)
    with open_panel("episodes", set_up=set_up) as window:
        page = window.page
        sign_in(page, make_token("ann"), "ann")
        open_episode(page, "Ann's plan")
        expect(page.get_by_text("words of ann").first).to_be_visible()
        sign_in(page, make_token("ann", number=2), "ann")
        expect(page.get_by_role("article", name="Ann's plan")).to_be_visible()
        sign_in(page, make_token("bob"), "bob")
        expect(page.get_by_text("None yet.").locator("visible=true")).to_be_visible()
        assert re.search("plan|words of ann", page.locator("body").inner_html()) is None


def exchange_token(request: Request) -> FakeResponse:
    """Return AWS credentials for the user of the token, with the resources that they may use."""
    name = token_name(json.loads(request.post_data or "")["token"])
    keys = {"accessKeyId": "AKIA", "secretAccessKey": "s", "sessionToken": "t"}
    prefixes = {"raw": f"raw/{name}/", "audio": f"audio/{name}/"}
    resources = {"bucketName": "recordings", "tableName": "t", "prefixes": prefixes}
    return {"user": name, **resources, **keys, "renewAfter": "2100-01-01T00:00:00.000Z"}


def meeting_item(title: str, status: str = "processing") -> dict[str, Any]:
    """Return the DynamoDB item of a meeting."""
    strings = {"meetingId": "m", "title": title, "startedAt": CREATED_AT, "status": status, "stage": "transcription"}
    return {**{name: {"S": value} for name, value in strings.items()}, "participants": {"L": []}, "tags": {"L": []}}


class FakeMeetings:
    """Meetings backend: token exchange, bucket and table."""

    def __init__(self) -> None:
        self.uploads: list[str] = []
        """Names of the uploaded objects."""
        self.get_item_response: FakeResponse = {"Item": meeting_item("Weekly")}
        """Response to `GetItem`."""
        self.list_items: Callable[[str], list[Any]] = lambda _: []
        """Function that returns the items of a user."""

    def set_processed_meeting(self, **strings: str) -> None:
        """Let every user have one meeting of 15 seconds with these attributes, which is ready."""
        meeting = meeting_item("Weekly", "ready") | {name: {"S": value} for name, value in strings.items()}
        meeting["durationMs"] = {"N": "15000"}
        self.get_item_response = {"Item": meeting}
        self.list_items = lambda _: [meeting]

    def install(self, page: Page) -> None:
        fake_host(page, "meetings.example.com", exchange_token)
        fake_host(page, "dynamodb.eu-west-1.amazonaws.com", self._answer_table)
        fake_host(page, "recordings.s3.eu-west-1.amazonaws.com", self._answer_bucket)

    def _answer_bucket(self, request: Request) -> FakeResponse:
        self.uploads.append(request.url.rpartition("/")[2])
        return 200

    def _answer_table(self, request: Request) -> FakeResponse:
        if request.headers["x-amz-target"].endswith("GetItem"):
            return self.get_item_response
        return {"Items": self.list_items(list_requester(request))}


def list_requester(request: Request) -> str:
    """Return the user who requests a list, or an empty string for other requests."""
    if request.headers.get("x-amz-target", "").endswith(".Query"):
        return "bob" if "bob" in (request.post_data or "") else "ann"
    is_list = request.method == "GET" and "/episodes?" in request.url
    return token_user(request) if is_list else ""


@pytest.mark.parametrize("panel", ["episodes", "meetings"])
def test_a_list_of_one_user_that_arrives_after_another_has_signed_in_is_not_shown(
    open_panel: OpenPanel, panel: str
) -> None:
    delayed_requests: list[Route] = []
    meetings = FakeMeetings()
    meetings.list_items = lambda name: [meeting_item("Ann's plan")] if name == "ann" else []

    def set_up(page: Page) -> None:
        fake_host(page, "livestream.example.com", respond_with_anns_episode)
        meetings.install(page)
        page.route(
            re.compile("^https:"),
            lambda route: delayed_requests.append(route) if is_first_of_ann(route.request) else route.fallback(),
        )

    def is_first_of_ann(request: Request) -> bool:
        return not delayed_requests and list_requester(request) == "ann"

    with open_panel(panel, set_up=set_up) as window:
        page = window.page
        with page.expect_request(lambda request: list_requester(request) == "ann"):
            sign_in(page, make_token("ann"), "ann")
        with page.expect_response(lambda response: list_requester(response.request) == "bob"):
            sign_in(page, make_token("bob"), "bob")
        with page.expect_response(lambda response: response.request == delayed_requests[0].request) as delayed_response:
            delayed_requests[0].fallback()
        delayed_response.value.finished()
        expect(page.locator(f"#{panel}-again")).to_be_enabled()
        assert page.locator(f"#{panel}-list li").count() == 0
        sign_in(page, make_token("ann", number=2), "ann")
        expect(page.locator(f"#{panel}-list li")).to_have_count(1)


def upload_recording(window: ConsoleWindow, title: str) -> None:
    page = window.page
    page.get_by_label("Title").locator("visible=true").fill(title)
    page.get_by_label("Recording: one file").set_input_files({"name": "a.webm", "mimeType": "", "buffer": b"a"})
    page.get_by_role("button", name="Upload").press("Enter")


def test_an_upload_continues_with_a_new_token_of_the_same_user(open_panel: OpenPanel) -> None:
    meetings = FakeMeetings()
    delayed_requests: list[Route] = []
    with open_panel("meetings", set_up=meetings.install) as window:
        page = window.page
        first_chunk = re.compile(r"/00000\.webm$")
        page.route(
            first_chunk,
            lambda route: route.fallback() if route.request.method == "OPTIONS" else delayed_requests.append(route),
        )
        sign_in(page, make_token("ann"), "ann")
        with page.expect_request(lambda request: request.method == "PUT"):
            upload_recording(window, "Weekly")
        sign_in(page, make_token("ann", number=2), "ann")
        delayed_requests[0].fallback()
        expect(page.get_by_role("article", name="Weekly")).to_be_visible()
        expect(page.locator("#meetings-status")).to_have_text("Processing")
        sign_in(page, make_token("ann", number=3), "ann")
        expect(page.get_by_role("article", name="Weekly")).to_be_visible()
        assert page.locator("#meetings-title").input_value() == "", "the form is empty after a complete upload"
        assert meetings.uploads == ["00000.webm", "complete.json"]


def test_a_recording_can_be_uploaded_while_another_is_processed(open_panel: OpenPanel) -> None:
    meetings = FakeMeetings()
    with open_panel("meetings", set_up=meetings.install) as window:
        sign_in(window.page, make_token("ann"), "ann")
        for number in (1, 2):
            upload_recording(window, f"Weekly {number}")
            expect(window.page.locator("#meetings-status")).to_have_text("Processing")
            expect(window.page.locator("#meetings-title")).to_have_value("")
            expect(window.page.locator("#meetings-one")).to_be_focused()
            window.page.locator("#meetings-new > summary").click()
        assert meetings.uploads == ["00000.webm", "complete.json"] * 2


COUNT_MEDIA_ERRORS = """
window.mediaErrors = 0;
document.addEventListener("error", () => { window.mediaErrors += 1; }, true);
"""


@pytest.mark.parametrize(
    ("refusals", "final_state"), [(1, "mediaErrors === 1 && player.duration === 5"), (2, "mediaErrors === 2")]
)
def test_the_url_of_a_video_is_replaced_once_after_an_error(
    open_panel: OpenPanel, refusals: int, final_state: str
) -> None:
    """S3 refuses a URL that has expired. The player tries a second one, and no third one."""
    meetings = FakeMeetings()
    meetings.set_processed_meeting(videoKey="video/ann/m.wav")
    requests: list[str] = []

    def respond(route: Route) -> None:
        requests.append(route.request.url)
        if len(requests) <= refusals:
            route.fulfill(status=403, headers=CORS)
        else:
            route.fulfill(body=silent_wav(5), content_type="audio/wav", headers=CORS)

    with open_panel("meetings", set_up=meetings.install, script=COUNT_MEDIA_ERRORS) as window:
        page = window.page
        page.route(f"{BUCKET_URL}/video/**", respond)
        sign_in(page, make_token("ann"), "ann")
        page.get_by_role("button", name="Weekly").click()
        page.wait_for_function(
            f"() => {{ const player = document.getElementById('meetings-player'); return {final_state}; }}"
        )
        page.locator("#meetings-again").click()
        expect(page.locator("#meetings-again")).to_be_enabled()
    assert len(requests) == 2


def test_quotes_of_a_recording_without_video_play_its_audio(open_panel: OpenPanel) -> None:
    meetings = FakeMeetings()
    content = "c" * 32  # a hash that identifies the recording in the keys of its files
    meetings.set_processed_meeting(content=content, summaryKey="summaries/s.json")
    quotes = [{"text": f"at {ms}", "startMs": ms} for ms in (2000, 12000)]
    summary = {"summary": "Short.", "actionItems": [{"text": "Do it", "quote": quote} for quote in quotes]}
    requested_parts: list[str] = []

    def send_audio_part(route: Route) -> None:
        """Send one of the two files with the audio: the first 10 seconds, or the other 5."""
        requested_parts.append(route.request.url.partition("?")[0].rpartition("/audio/")[2])
        audio = silent_wav(10 if requested_parts[-1].endswith("000.flac") else 5)
        start = int(route.request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{len(audio) - 1}/{len(audio)}"}
        route.fulfill(status=206, body=audio[start:], content_type="audio/wav", headers=headers)

    with open_panel("meetings", set_up=meetings.install) as window:
        page = window.page
        page.route(f"{BUCKET_URL}/summaries/**", lambda route: route.fulfill(json=summary, headers=CORS))
        page.route(f"{BUCKET_URL}/audio/**", send_audio_part)
        sign_in(page, make_token("ann"), "ann")
        page.get_by_role("button", name="Weekly").click()
        player = page.locator("#meetings-audio")
        for time, part in (("0:02", "000"), ("0:12", "001"), ("0:02", "000")):
            page.get_by_role("button", name=f"Play from {time}").click()
            expect(player).to_be_focused()
            assert requested_parts[-1] == f"ann/m/{content}/{part}.flac"
            seconds_in_part = player.evaluate("(player) => player.currentTime")
            assert 1.9 <= seconds_in_part < 9, "it may play on until its position is read"
            player.evaluate("(player) => { player.pause(); player.blur(); }")
        expect(page.locator("#meetings-player")).to_be_hidden()


def test_quotes_are_no_buttons_if_the_audio_is_no_longer_stored(open_panel: OpenPanel) -> None:
    meetings = FakeMeetings()
    meetings.set_processed_meeting(content="c" * 32, transcriptKey="transcripts/t.json")
    segments = [{"startMs": 0, "speaker": "spk_0", "text": "Hello."}]
    with open_panel("meetings", set_up=meetings.install) as window:
        page = window.page
        transcript = {"durationMs": 15000, "said": segments}
        page.route(f"{BUCKET_URL}/transcripts/**", lambda route: route.fulfill(json=transcript, headers=CORS))
        page.route(f"{BUCKET_URL}/audio/**", lambda route: route.fulfill(status=404, headers=CORS))
        sign_in(page, make_token("ann"), "ann")
        page.get_by_role("button", name="Weekly").click()
        expect(page.get_by_text("The audio of this recording is no longer stored")).to_be_visible()
        page.get_by_text("Transcript, 0:15").click()
        expect(page.locator(".said li")).to_have_text(["0:00Speaker 1Hello."])
        expect(page.locator(".said button")).to_have_count(0)


def test_a_failed_video_is_explained_and_has_no_player(open_panel: OpenPanel) -> None:
    video_state = "none"

    def respond(request: Request) -> FakeResponse:
        nonlocal video_state
        if request.url.endswith("/uploads"):
            video_state = "chunking"
            return {"uploadId": "u", "form": {"url": "https://livestream.example.com/form", "fields": {}}}
        track = {"state": video_state, **({"reason": "CHUNKING_FAILED"} if video_state == "failed" else {})}
        status = {"none": "draft", "chunking": "processing", "failed": "failed"}[video_state]
        record = episode("Plan", status) | {"video": track, "transcript": {"state": "none"}}
        return record if request.url.endswith("/episodes/e1") else {"episodes": [record]}

    with open_panel("episodes", set_up=lambda page: fake_host(page, "livestream.example.com", respond)) as window:
        page = window.page
        sign_in(page, make_token("ann"), "ann")
        open_episode(page, "Plan")
        video: FilePayload = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": silent_wav(5)}
        page.get_by_label("Choose a video").set_input_files(video)
        expect(page.locator("#episodes-video .now")).to_contain_text("Cutting")
        video_state = "failed"
        expect(page.locator("#episodes-video")).to_contain_text("The video cannot be read or cut.")
        assert "CHUNKING" not in page.locator("body").inner_text(), "the page shows sentences instead of codes"
        expect(page.locator("#episodes-player")).to_be_hidden()


def test_polling_continues_after_an_error_and_with_a_new_token_after_the_old_one_expired(open_panel: OpenPanel) -> None:
    responses: list[FakeResponse] = [episode("Plan", "processing")]

    def respond(request: Request) -> FakeResponse:
        if request.url.endswith("/episodes/e1"):
            return responses[-1]
        return {"episodes": [episode("Plan")], "claims": [], "clips": []}

    with open_panel("episodes", set_up=lambda page: fake_host(page, "livestream.example.com", respond)) as window:
        problem, status = window.page.locator("#episodes-problem"), window.page.locator("#episodes-status")
        sign_in(window.page, make_token("ann"), "ann")
        open_episode(window.page, "Plan")
        responses.append(503)
        expect(problem).to_contain_text("status 503")
        responses.append(episode("Plan", "processing"))
        expect(problem).to_be_hidden()
        responses.append(401)
        expect(problem).to_contain_text("Sign in at the top")
        responses.append(episode("Plan"))
        sign_in(window.page, make_token("ann", number=2), "ann")
        expect(status).to_have_text("Ready")
        expect(problem).to_be_hidden()


def test_polling_waits_for_a_sign_in_after_a_permanent_error(window: ConsoleWindow) -> None:
    """A sign-in during a check counts too: the next check follows at once."""
    script = """
    const { Problem } = await import("/lib/problems.js");
    const [visitor, node] = [Object.assign(new EventTarget(), { signInCount: 0 }), document.createElement("p")];
    const runMicrotasks = async () => { for (let turn = 0; turn < 20; turn += 1) await null; };
    let checks = 0;
    let isWanted = true;
    const signIn = () => { visitor.signInCount += 1; visitor.dispatchEvent(new Event("signin")); };
    const checkCounts = [];
    const ended = module.poll(visitor, node, () => isWanted, async () => {
      checks += 1;
      if (checks === 2) signIn();
      throw new Problem("No.");
    });
    const doNothing = () => {};
    const stopAndSignIn = () => { isWanted = false; signIn(); };
    for (const action of [doNothing, signIn, stopAndSignIn]) {
      action();
      await runMicrotasks();
      checkCounts.push(checks);
    }
    await ended;
    return checkCounts;
    """
    assert run_script(window, "poll", script) == [1, 3, 3]
