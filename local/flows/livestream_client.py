"""Client for the livestream backend of a local deployment, and a sample video.

An episode is one broadcast. It has a track for its video and one for its transcript, each with a processing state.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from handlers.common.identity.user_ids import DEFAULT_OWNER
from local.ffmpeg import run_ffmpeg
from local.flows import Deployment, eventually, identity, invoke
from local.flows.http_requests import Answer, ask, post_form, send

USER = "ann"
"""User who owns the episodes."""


class LivestreamBackend:
    def __init__(self, deployment: Deployment) -> None:
        self.client, ids = deployment.client, deployment.ids
        frontend = deployment.frontend("livestream")
        self.url = frontend["apiUrl"]
        self.token = identity.request_token(deployment, USER)
        self.owner = identity.find_user_id(deployment, USER) if frontend["authorizer"] == "jwt" else DEFAULT_OWNER
        """Owner that S3 and DynamoDB keys contain for the episodes."""
        self.bucket = ids["livestream-transcripts-bucket"]
        self.table = ids["livestream-null-check-table"]
        """Name of the table of episodes, which the requirements name `NullCheckTable`."""
        self.memory = ids["livestream-memory-memory"]
        self.cleanup_function = deployment.function("livestream-care")

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        """Send a request as the owner of the episodes, or as the user of another token."""
        return ask(method, f"{self.url}{path}", body, {"Authorization": f"Bearer {token or self.token}"})

    def create_episode(self, title: str, **more: object) -> dict[str, Any]:
        answer = self.ask("POST", "/episodes", {"title": title, **more})
        assert answer.status in {200, 201}, answer
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
        """Upload a file by a form or in parts, as the API decides.

        Return the API's response with the form or the parts, and the status of the last request.
        """
        request = {"kind": kind, "contentType": content_type, "bytes": len(data)}
        ready = self.ask("POST", f"/episodes/{episode_id}/uploads", request).body
        if "form" in ready:
            return ready, post_form(ready["form"]["url"], ready["form"]["fields"], data).status
        return ready, self._upload_parts(episode_id, ready, data)

    def _upload_parts(self, episode_id: str, ready: Mapping[str, Any], data: bytes) -> int:
        multipart = ready["multipart"]
        size = multipart["partBytes"]
        parts = []
        for index, part in enumerate(multipart["parts"]):
            answer = send("PUT", part["url"], data[index * size : (index + 1) * size])
            parts.append({"partNumber": part["partNumber"], "etag": answer.headers["etag"]})
        body = {"multipartId": multipart["multipartId"], "parts": parts}
        return self.ask("POST", f"/episodes/{episode_id}/uploads/{ready['uploadId']}", body).status

    def wait_until_processed(self, episode_id: str) -> dict[str, Any]:
        """Wait until both tracks of an episode are complete or one has failed. Return the episode."""
        return self._wait_for_episode(episode_id, lambda episode: episode["status"] in {"ready", "failed"})

    def wait_until_cut(self, episode_id: str) -> dict[str, Any]:
        """Wait until the video of an episode is cut into chunks or has failed. Return the episode."""
        return self._wait_for_episode(episode_id, lambda episode: episode["video"]["state"] in {"chunked", "failed"})

    def _wait_for_episode(self, episode_id: str, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            episode: dict[str, Any] = self.ask("GET", f"/episodes/{episode_id}").body
            return episode if is_wanted(episode) else None

        return eventually(find, "a processed episode")

    def list_chunks(self, episode_id: str) -> list[str]:
        """Return the S3 keys of the chunks (HLS segments) of an episode's video, in order."""
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"chunks/{self.owner}/{episode_id}/")
        return sorted(item["Key"] for item in listed.get("Contents", []) if item["Key"].endswith(".ts"))

    def count_remaining_by_kind(self, episode_id: str) -> dict[str, int]:
        """Return by kind how many things are stored for an episode, without the episode's own item.

        The kinds are items of the table, object versions (including delete markers), incomplete uploads, and events in
        the fact-check agent's memory (Bedrock AgentCore).
        """
        s3, dynamodb, memory = self.client("s3"), self.client("dynamodb"), self.client("bedrock-agentcore")
        prefixes = [f"{prefix}/{self.owner}/{episode_id}/" for prefix in ("videos", "transcripts", "chunks")]
        values = {":pk": {"S": f"EPISODE#{self.owner}#{episode_id}"}}
        items = dynamodb.query(
            TableName=self.table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values
        )
        versions = [s3.list_object_versions(Bucket=self.bucket, Prefix=prefix) for prefix in prefixes]
        uploads = s3.list_multipart_uploads(Bucket=self.bucket, Prefix=prefixes[0])
        events = memory.list_events(memoryId=self.memory, actorId=self.owner, sessionId=episode_id)
        return {
            "items": sum(item["sk"]["S"] != "EPISODE" for item in items["Items"]),
            "versions": sum(len(page.get(kind, ())) for page in versions for kind in ("Versions", "DeleteMarkers")),
            "uploads": len(uploads.get("Uploads", ())),
            "memories": len(events["events"]),
        }

    def wait_until_removed(self, episode_id: str) -> None:
        """Wait until nothing is stored for an episode except its own item."""
        eventually(
            lambda: None if any(self.count_remaining_by_kind(episode_id).values()) else True,
            "the removal of an episode",
        )

    def backdate_track(self, episode_id: str, track: str) -> None:
        """Make a track look as if it had been in its state for a long time, so that a sweep marks it as failed."""
        long_ago = "2025-01-01T00:00:00.000Z"
        self.client("dynamodb").update_item(
            TableName=self.table,
            Key={"pk": {"S": f"EPISODE#{self.owner}#{episode_id}"}, "sk": {"S": "EPISODE"}},
            UpdateExpression="SET #track.#since = :then, GSI2SK = :then",
            ExpressionAttributeNames={"#track": track, "#since": "since"},
            ExpressionAttributeValues={":then": {"S": long_ago}},
        )

    def sweep(self) -> dict[str, Any]:
        """Invoke the cleanup function as its schedule does. Tracks that were in one state for too long then fail."""
        return invoke(self.client, self.cleanup_function, kind="sweep")

    def object_size(self, key: str) -> int:
        return int(self.client("s3").head_object(Bucket=self.bucket, Key=key)["ContentLength"])


def make_video(seconds: int) -> bytes:
    """Return an MP4 video of noise, which cannot be compressed, so that each second takes several megabytes."""
    video_source = f"testsrc2=duration={seconds}:size=1280x720:rate=2,noise=alls=100:allf=t"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        sources = ("-f", "lavfi", "-i", video_source, "-f", "lavfi", "-i", f"sine=duration={seconds}")
        run_ffmpeg(*sources, "-c:v", "mpeg4", "-q:v", "1", "-c:a", "aac", str(path))
        return path.read_bytes()
