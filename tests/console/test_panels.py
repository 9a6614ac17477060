"""Tests of the episodes and meetings panels against a fake stack: changes of the user, and uploads."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Request, Route, expect

from tests.console.fake_stack import (
    CORS,
    FakeResponse,
    OpenPanel,
    fake_host,
    hold_requests,
    make_token,
    sign_in,
    silent_wav,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("modules")]
CREATED_AT = "2026-11-01T10:00:00.000Z"


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


@pytest.fixture(scope="module")
def shared_page(open_panel: OpenPanel) -> Iterator[Page]:
    with open_panel("episodes") as window:
        yield window.page


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """Page that all tests of this module share. At the end of a test, another user signs in, which empties the panels."""
    yield shared_page
    sign_in(shared_page, make_token("nobody"), "nobody")
    shared_page.unroute_all()


def open_episode(page: Page, title: str) -> None:
    page.get_by_role("button", name=title).click()
    expect(page.get_by_role("article", name=title)).to_be_visible()


def test_an_episode_of_one_user_is_not_shown_to_another(page: Page) -> None:
    fake_host(page, "livestream.example.com", respond_with_anns_episode)
    select_tab(page, "episodes")
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
    resources = {"bucketName": "recordings", "tableName": "t"}
    return {"user": name, **resources, **keys, "renewAfter": "2100-01-01T00:00:00.000Z"}


def meeting_item(title: str, status: str = "processing", **strings: str) -> dict[str, Any]:
    """Return the DynamoDB item of a meeting of 15 seconds."""
    strings |= {"meetingId": "m", "title": title, "startedAt": CREATED_AT, "status": status, "stage": "transcription"}
    lists: dict[str, Any] = {"participants": {"L": []}, "tags": {"L": []}}
    return {name: {"S": value} for name, value in strings.items()} | lists | {"durationMs": {"N": "15000"}}


@dataclass
class FakeMeetings:
    """Meetings backend: token exchange, bucket and table. The table has one meeting."""

    meeting: dict[str, Any] = field(default_factory=lambda: meeting_item("Weekly"))
    list_items: Callable[[str], list[Any]] = lambda _: []
    """Function that returns the listed items of a user."""
    uploads: list[str] = field(default_factory=list)
    """Names of the uploaded objects."""

    def install(self, page: Page) -> None:
        fake_host(page, "meetings.example.com", exchange_token)
        fake_host(page, "dynamodb.eu-west-1.amazonaws.com", self._answer_table)
        fake_host(page, "recordings.s3.eu-west-1.amazonaws.com", self._answer_bucket)

    def _answer_bucket(self, request: Request) -> FakeResponse:
        self.uploads.append(request.url.rpartition("/")[2])
        return 200

    def _answer_table(self, request: Request) -> FakeResponse:
        if request.headers["x-amz-target"].endswith("GetItem"):
            return {"Item": self.meeting}
        return {"Items": self.list_items(list_requester(request))}


def open_processed_meeting(page: Page, results: Mapping[str, Callable[[Route], object]], **strings: str) -> None:
    """Sign in as ann, whose only meeting is ready and has these attributes, and open the meeting.

    `results` has a function for each folder of the bucket that the page reads.
    """
    meeting = meeting_item("Weekly", "ready", **strings)
    FakeMeetings(meeting, lambda _: [meeting]).install(page)
    for folder, respond in results.items():
        page.route(f"https://recordings.s3.eu-west-1.amazonaws.com/{folder}/**", respond)
    select_tab(page, "meetings")
    sign_in(page, make_token("ann"), "ann")
    page.locator("#meetings-list").get_by_role("button", name="Weekly").click()


def select_tab(page: Page, panel: str) -> None:
    page.locator(f"#tab-{panel}").click()


def list_requester(request: Request) -> str:
    """Return the user who requests a list, or an empty string for other requests."""
    if request.headers.get("x-amz-target", "").endswith(".Query"):
        return "bob" if "bob" in (request.post_data or "") else "ann"
    is_list = request.method == "GET" and "/episodes?" in request.url
    return token_user(request) if is_list else ""


@pytest.mark.parametrize("panel", ["episodes", "meetings"])
def test_a_list_of_one_user_that_arrives_after_another_has_signed_in_is_not_shown(page: Page, panel: str) -> None:
    delayed_requests: list[Route] = []

    def is_first_of_ann(request: Request) -> bool:
        return not delayed_requests and list_requester(request) == "ann"

    fake_host(page, "livestream.example.com", respond_with_anns_episode)
    FakeMeetings(list_items=lambda name: [meeting_item("Ann's plan")] if name == "ann" else []).install(page)
    select_tab(page, panel)
    page.route(
        re.compile("^https:"),
        lambda route: delayed_requests.append(route) if is_first_of_ann(route.request) else route.fallback(),
    )
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


def upload_recording(page: Page, title: str) -> None:
    page.get_by_label("Title").locator("visible=true").fill(title)
    page.get_by_label("Recording: one file").set_input_files({"name": "a.webm", "mimeType": "", "buffer": b"a"})
    page.get_by_role("button", name="Upload").press("Enter")


def test_an_upload_continues_with_a_new_token_of_the_same_user(page: Page) -> None:
    meetings = FakeMeetings()
    meetings.install(page)
    first_chunk = re.compile(r"/00000\.webm$")
    delayed_requests = hold_requests(page, first_chunk)
    select_tab(page, "meetings")
    sign_in(page, make_token("ann"), "ann")
    with page.expect_request(lambda request: request.method == "PUT"):
        upload_recording(page, "Weekly")
    sign_in(page, make_token("ann", number=2), "ann")
    page.unroute(first_chunk)
    delayed_requests[0].fallback()
    expect(page.locator("#meetings-status")).to_have_text("Processing")
    expect(page.locator("#meetings-one")).to_be_focused()
    sign_in(page, make_token("ann", number=3), "ann")
    expect(page.get_by_role("article", name="Weekly")).to_be_visible()
    assert page.locator("#meetings-title").input_value() == "", "the form is empty after a complete upload"
    # Another recording can be uploaded while the first recording is processed.
    page.locator("#meetings-new > summary").click()
    upload_recording(page, "Weekly")
    expect(page.locator("#meetings-title")).to_have_value("")
    assert meetings.uploads == ["00000.webm", "complete.json"] * 2


def test_the_url_of_a_video_is_replaced_once_after_an_error(page: Page) -> None:
    """S3 refuses a URL that has expired. The player tries a second one, and no third one."""
    refusals_left = 2
    requests: list[str] = []

    def respond(route: Route) -> None:
        nonlocal refusals_left
        requests.append(route.request.url)
        refusals_left -= 1
        if refusals_left >= 0:
            route.fulfill(status=403, headers=CORS)
        else:
            route.fulfill(body=silent_wav(5), content_type="audio/wav", headers=CORS)

    page.evaluate(
        "document.addEventListener('error', () => { window.mediaErrors = (window.mediaErrors ?? 0) + 1; }, true)"
    )
    open_processed_meeting(page, {"video": respond}, videoKey="video/ann/m.wav")
    page.wait_for_function("window.mediaErrors === 2")
    page.locator("#meetings-again").click()
    expect(page.locator("#meetings-again")).to_be_enabled()
    assert len(requests) == 2
    refusals_left = 1
    page.locator("#meetings-list").get_by_role("button", name="Weekly").click()
    page.wait_for_function("document.getElementById('meetings-player').duration === 5")
    assert page.evaluate("window.mediaErrors") == 3
    assert len(requests) == 4


def test_quotes_of_a_recording_without_video_play_its_audio(page: Page) -> None:
    content = "c" * 32  # a hash that identifies the recording in the keys of its files
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

    results = {"summaries": lambda route: route.fulfill(json=summary, headers=CORS), "audio": send_audio_part}
    open_processed_meeting(page, results, content=content, summaryKey="summaries/s.json")
    player = page.locator("#meetings-audio")
    player.evaluate("(player) => { player.onseeking = () => { window.soughtSeconds = player.currentTime; }; }")
    for time, part in (("0:02", "000"), ("0:12", "001"), ("0:02", "000")):
        page.get_by_role("button", name=f"Play from {time}").click()
        expect(player).to_be_focused()
        assert requested_parts[-1] == f"ann/m/{content}/{part}.flac"
        sought = page.wait_for_function("window.soughtSeconds").json_value()
        assert sought == 2, "both quotes begin two seconds after the start of their file"
        player.evaluate("(player) => { player.pause(); player.blur(); window.soughtSeconds = null; }")
    expect(page.locator("#meetings-player")).to_be_hidden()


def test_quotes_are_no_buttons_if_the_audio_is_no_longer_stored(page: Page) -> None:
    transcript = {"durationMs": 15000, "said": [{"startMs": 0, "speaker": "spk_0", "text": "Hello."}]}
    results = {
        "transcripts": lambda route: route.fulfill(json=transcript, headers=CORS),
        "audio": lambda route: route.fulfill(status=404, headers=CORS),
    }
    open_processed_meeting(page, results, content="c" * 32, transcriptKey="transcripts/t.json")
    expect(page.get_by_text("The audio of this recording is no longer stored")).to_be_visible()
    page.get_by_text("Transcript, 0:15").click()
    expect(page.locator(".said li")).to_have_text(["0:00Speaker 1Hello."])
    expect(page.locator(".said button")).to_have_count(0)


def test_a_failed_video_is_explained_and_has_no_player(page: Page) -> None:
    video_state = "none"

    def respond(request: Request) -> FakeResponse:
        nonlocal video_state
        if request.url.endswith("/uploads"):
            video_state = "chunking"
            return {"uploadId": "u", "form": {"url": "https://livestream.example.com/form", "fields": {}}}
        if "/chunks" in request.url:
            chunk = {"startMs": 0, "durationMs": 5000, "url": "https://livestream.example.com/chunk"}
            return {"chunks": [chunk], "expiresSeconds": 300}
        track = {"state": video_state, **({"reason": "CHUNKING_FAILED"} if video_state == "failed" else {})}
        status = {"none": "draft", "chunking": "processing", "failed": "failed"}[video_state]
        record = episode("Plan", status) | {"video": track, "transcript": {"state": "none"}}
        return record if request.url.endswith("/episodes/e1") else {"episodes": [record]}

    fake_host(page, "livestream.example.com", respond)
    select_tab(page, "episodes")
    sign_in(page, make_token("ann"), "ann")
    open_episode(page, "Plan")
    video: FilePayload = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": silent_wav(5)}
    page.get_by_label("Choose a video").set_input_files(video)
    expect(page.locator("#episodes-video .now")).to_contain_text("Cutting")
    video_state = "failed"
    expect(page.locator("#episodes-video")).to_contain_text("The video cannot be read or cut.")
    assert "CHUNKING" not in page.locator("body").inner_text(), "the page shows sentences instead of codes"
    expect(page.locator("#episodes-player")).to_be_hidden()
