"""The episodes panel plays the video of an episode from its chunks: MPEG-TS files that the local MediaConvert cut."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from handlers.livestream.keys import VIDEOS, parse_upload
from handlers.livestream.video_chunks.job import job_request
from local.emulation.mediaconvert.video_cutting import cut_video, parse_job
from local.ffmpeg import run_ffmpeg
from tests.console.fake_stack import CORS, FakeResponse, OpenPanel, fake_host, hold_requests, make_token, sign_in
from tests.console.test_panels import episode, open_episode

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.xdist_group("modules")]
KEY = f"videos/everybody/{'0' * 26}/01ARZ3NDEKTSV4RRFFQ69G5FAV.mp4"
SECONDS = 1
"""Length of a chunk. The video has three of them."""


@cache
def cut_chunks() -> tuple[bytes, ...]:
    """Return the chunks of a video of three seconds with sound."""
    video = parse_upload(VIDEOS, KEY, "v1")
    assert video is not None
    role = "arn:aws:iam::123456789012:role/media"
    cut = parse_job(job_request("videos-bucket", video, chunk_seconds=SECONDS, role_arn=role))
    with TemporaryDirectory() as scratch:
        source, folder = Path(scratch, "video.mp4"), Path(scratch, "chunks")
        folder.mkdir()
        sources = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:d=3", "-f", "lavfi", "-i", "sine=duration=3")
        run_ffmpeg(*sources, str(source))
        return tuple(path.read_bytes() for path in cut_video(source, folder, cut).files.values())


@dataclass
class FakeVideo:
    """Livestream API with an episode whose video is cut, and the bucket of the chunks. Each list signs new URLs."""

    is_next_url_expired: bool = False
    """True if the next URL has expired when it is used. The URLs in the list of all chunks have always expired."""
    downloads: list[int] = field(default_factory=list)
    """Numbers of the chunks whose download was requested, in order."""
    delayed_lists: list[Route] = field(default_factory=list)
    """Requests for the list of all chunks, which the test answers."""

    def install(self, page: Page) -> None:
        fake_host(page, "livestream.example.com", self.respond)
        page.route("https://chunks.example.com/**", self._download)
        self.delayed_lists = hold_requests(page, "https://livestream.example.com/**/chunks?limit=100*")

    def respond(self, request: Request) -> FakeResponse:
        path = request.url.partition("/live/")[2].partition("?")[0]
        if path == "episodes":
            return {"episodes": [episode("Plan")]}
        if path.endswith("/claims"):
            times = {"startMs": 2_200, "endMs": 2_500}
            claim = {"claimId": "c", "quote": "It is so.", "verdict": "refuted", "confidence": 1, **times}
            return {"claims": [claim]}
        if path.endswith("/clips"):
            return {"clips": []}
        if path.endswith("/chunks"):
            return self._list(parse_qs(urlsplit(request.url).query))
        return episode("Plan") | {"video": {"state": "chunked"}}

    def _list(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        first, limit = int(query["fromMs"][0]) // (SECONDS * 1000), int(query["limit"][0])
        signature = "expired" if limit > 1 or self.is_next_url_expired else "valid"
        self.is_next_url_expired = False
        times = [{"startMs": index * SECONDS * 1000, "durationMs": SECONDS * 1000} for index in range(3)]
        chunks = [{"url": f"https://chunks.example.com/{index}?{signature}"} | times[index] for index in range(3)]
        return {"chunks": chunks[first : first + limit], "expiresSeconds": 300}

    def _download(self, route: Route) -> None:
        index, _, signature = route.request.url.rpartition("/")[2].partition("?")
        self.downloads.append(int(index) + 1)
        if signature == "expired":
            route.fulfill(status=403, headers=CORS, body="<Error><Code>AccessDenied</Code></Error>")
        else:
            route.fulfill(body=cut_chunks()[int(index)], headers=CORS, content_type="video/MP2T")


@contextmanager
def open_video(open_panel: OpenPanel, video: FakeVideo) -> Iterator[Page]:
    with open_panel("episodes", set_up=video.install) as window:
        sign_in(window.page, make_token("ann"), "ann")
        with window.page.expect_request(lambda request: request.method == "GET" and "/chunks?limit=100" in request.url):
            open_episode(window.page, "Plan")
        yield window.page


def wait_until_playing(player: Locator, seconds: float) -> None:
    """Wait until the video plays beyond a position."""
    script = f"(player) => player.readyState >= 3 && !player.paused && player.currentTime > {seconds}"
    player.page.wait_for_function(script, arg=player.element_handle())


def test_a_claim_plays_the_video_from_its_position(open_panel: OpenPanel) -> None:
    """The claim may be selected before the chunks are listed. Only the chunks from there on are loaded, each from a new URL.

    If that URL has expired, too, another is requested.
    """
    video = FakeVideo()
    with open_video(open_panel, video) as page:
        player = page.locator("#episodes-player")
        page.get_by_role("button", name="Play the video from 0:02").click()
        for delayed_list in video.delayed_lists:
            delayed_list.fallback()
        wait_until_playing(player, 2.4)
        assert video.downloads == [3], "a chunk is large, so it is not loaded before it is played"
        assert player.evaluate("(player) => player.duration") == pytest.approx(3, abs=0.1)
        assert player.evaluate("(player) => player.webkitAudioDecodedByteCount") > 0
        video.is_next_url_expired = True
        player.evaluate("(player) => { player.currentTime = 0.1; player.play(); }")
        wait_until_playing(player, 1.1)  # beyond the first chunk
        assert video.downloads[:4] == [3, 1, 1, 2]
        expect(page.locator("#episodes-unplayable")).to_be_hidden()


def test_a_video_whose_chunks_have_expired_is_replaced_by_the_reason(open_panel: OpenPanel) -> None:
    video = FakeVideo()
    with open_video(open_panel, video) as page:
        expect(page.locator("#episodes-player")).to_be_visible()
        body = {"code": "VIDEO_GONE", "message": "The chunks of this video have expired."}
        video.delayed_lists[0].fulfill(status=410, json=body, headers=CORS)
        expect(page.locator("#episodes-unplayable")).to_contain_text(body["message"])
        expect(page.locator("#episodes-player")).to_be_hidden()
