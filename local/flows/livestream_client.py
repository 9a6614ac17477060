"""Client for the livestream backend, and a sample video.

An episode is one broadcast. It has a track for its video and one for its transcript, each with a processing state. The
backend cuts the video into chunks. Large files are uploaded in parts.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from local.ffmpeg import run_ffmpeg
from local.flows import USER, Stack, eventually
from local.flows.http_requests import Answer, ask, post_form, send


class LivestreamBackend:
    """Livestream's REST API of one stack, as a user calls it."""

    def __init__(self, stack: Stack) -> None:
        frontend = stack.frontend["livestream"]
        self.stack = stack
        self.url = frontend["apiUrl"]
        self.token = stack.token(USER) if frontend["authorizer"] == "jwt" else ""
        """Token of the user who owns the episodes. Without an authorizer, all callers own all episodes."""

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        """Send a request as the owner of the episodes, or as the user of another token."""
        sent_token = token or self.token
        return ask(method, f"{self.url}{path}", body, {"Authorization": f"Bearer {sent_token}"} if sent_token else None)

    def create_episode(self, title: str, **more: object) -> dict[str, Any]:
        answer = self.ask("POST", "/episodes", {"title": title, **more})
        assert answer.status in {200, 201}, answer  # 200 if an episode with the id in `more` exists already
        return dict(answer.body)

    def list_pages(self, limit: int) -> Iterator[list[dict[str, Any]]]:
        after = ""
        while True:
            page = self.ask("GET", f"/episodes?limit={limit}{after}").body
            yield page["episodes"]
            if "nextCursor" not in page:
                return
            after = f"&cursor={page['nextCursor']}"

    def upload(self, episode_id: str, kind: str, content_type: str, data: bytes) -> tuple[dict[str, Any], int]:
        """Upload a file by form or in parts, as the API's response demands. Return the response, and the last status."""
        request = {"kind": kind, "contentType": content_type, "bytes": len(data)}
        ready = self.ask("POST", f"/episodes/{episode_id}/uploads", request).body
        if "form" in ready:
            return ready, post_form(ready["form"]["url"], ready["form"]["fields"], data).status
        return ready, self._upload_parts(episode_id, ready, data)

    def _upload_parts(self, episode_id: str, ready: Mapping[str, Any], data: bytes) -> int:
        multipart = ready["multipart"]
        size = multipart["partBytes"]
        etags = [
            send("PUT", url, data[index * size : (index + 1) * size]).headers["etag"]
            for index, url in enumerate(multipart["urls"])
        ]
        return self.ask("POST", f"/episodes/{episode_id}/uploads/{ready['uploadId']}", {"etags": etags}).status

    def wait_until_processed(self, episode_id: str) -> dict[str, Any]:
        """Wait until both tracks of an episode are complete or one has failed. Return the episode."""
        return self._wait_for_episode(
            episode_id, lambda episode: episode["status"] in {"ready", "failed"}, "a processed episode"
        )

    def wait_until_cut(self, episode_id: str) -> dict[str, Any]:
        """Wait until the video of an episode is cut into chunks or has failed. Return the episode."""
        return self._wait_for_episode(
            episode_id, lambda episode: episode["video"]["state"] in {"chunked", "failed"}, "a cut video"
        )

    def _wait_for_episode(
        self, episode_id: str, is_wanted: Callable[[dict[str, Any]], bool], what: str
    ) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            episode: dict[str, Any] = self.ask("GET", f"/episodes/{episode_id}").body
            return episode if is_wanted(episode) else None

        return eventually(find, what, self.stack.patience_seconds)


def make_video(seconds: int) -> bytes:
    """Return an MP4 video of noise. Each second takes several megabytes, because noise cannot be compressed."""
    video_source = f"testsrc2=duration={seconds}:size=1280x720:rate=2,noise=alls=100:allf=t"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        sources = ("-f", "lavfi", "-i", video_source, "-f", "lavfi", "-i", f"sine=duration={seconds}")
        run_ffmpeg(*sources, "-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", str(path))
        return path.read_bytes()
