"""The livestream backend, driven from outside: its REST API, and what is uploaded by its word."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.flows import Deployment, eventually, invoke
from local.flows.http_requests import Answer, ask, post_form, send


class Livestream:
    """The livestream of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.client, ids = deployment.client, deployment.ids
        self.url = deployment.frontend("livestream")["apiUrl"]
        self.bucket = ids["livestream-transcripts-bucket"]
        self.table = ids["livestream-null-check-table"]
        self.memory = ids["livestream-memory-memory"]
        self.care = deployment.function("livestream-care")

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """A request to the API."""
        return ask(method, f"{self.url}{path}", body, {name.replace("_", "-"): one for name, one in headers.items()})

    def create(self, title: str, **more: object) -> dict[str, Any]:
        """A new episode."""
        answer = self.ask("POST", "/episodes", {"title": title, **more})
        assert answer.status in {200, 201}, answer
        return dict(answer.body)

    def pages(self, limit: int) -> Iterator[list[dict[str, Any]]]:
        """The list of episodes, page by page."""
        after = ""
        while True:
            page = self.ask("GET", f"/episodes?limit={limit}{after}").body
            yield page["episodes"]
            if "nextCursor" not in page:
                return
            after = f"&cursor={page['nextCursor']}"

    def upload(self, episode_id: str, kind: str, content_type: str, data: bytes) -> tuple[dict[str, Any], int]:
        """Uploads as the API says; what it said, and the status of the last step."""
        asked = {"kind": kind, "contentType": content_type, "bytes": len(data)}
        ready = self.ask("POST", f"/episodes/{episode_id}/uploads", asked).body
        if "form" in ready:
            return ready, post_form(ready["form"]["url"], ready["form"]["fields"], data).status
        return ready, self._in_parts(episode_id, ready, data)

    def _in_parts(self, episode_id: str, ready: Mapping[str, Any], data: bytes) -> int:
        multipart = ready["multipart"]
        size = multipart["partBytes"]
        parts = []
        for place, part in enumerate(multipart["parts"]):
            answer = send("PUT", part["url"], data[place * size : (place + 1) * size])
            parts.append({"partNumber": part["partNumber"], "etag": answer.headers["etag"]})
        body = {"multipartId": multipart["multipartId"], "parts": parts}
        return self.ask("POST", f"/episodes/{episode_id}/uploads/{ready['uploadId']}", body).status

    def done(self, episode_id: str) -> dict[str, Any]:
        """Waits until an episode's video is cut and its transcript is analyzed, or either has failed."""
        return self._episode(episode_id, lambda one: one["status"] in {"ready", "failed"})

    def cut(self, episode_id: str) -> dict[str, Any]:
        """Waits until an episode's video is cut, or has failed."""
        return self._episode(episode_id, lambda one: one["video"]["state"] in {"chunked", "failed"})

    def _episode(self, episode_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            episode: dict[str, Any] = self.ask("GET", f"/episodes/{episode_id}").body
            return episode if wanted(episode) else None

        return eventually(found, "an episode that is done")

    def chunks(self, episode_id: str) -> list[str]:
        """The keys of an episode's chunks, in order."""
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"chunks/everybody/{episode_id}/")
        return sorted(one["Key"] for one in listed.get("Contents", []) if one["Key"].endswith(".ts"))

    def left(self, episode_id: str) -> dict[str, int]:
        """How much there is of an episode, deleted or not, beside its own item."""
        s3, dynamodb, memory = self.client("s3"), self.client("dynamodb"), self.client("bedrock-agentcore")
        below = [f"{prefix}/everybody/{episode_id}/" for prefix in ("videos", "transcripts", "chunks")]
        place = {":place": {"S": f"EPISODE#everybody#{episode_id}"}}
        found = dynamodb.query(
            TableName=self.table, KeyConditionExpression="pk = :place", ExpressionAttributeValues=place
        )
        versions = [s3.list_object_versions(Bucket=self.bucket, Prefix=prefix) for prefix in below]
        uploads = s3.list_multipart_uploads(Bucket=self.bucket, Prefix=below[0])
        events = memory.list_events(memoryId=self.memory, actorId="everybody", sessionId=episode_id)
        return {
            "items": sum(one["sk"]["S"] != "EPISODE" for one in found["Items"]),
            "versions": sum(len(one.get(kind, ())) for one in versions for kind in ("Versions", "DeleteMarkers")),
            "uploads": len(uploads.get("Uploads", ())),
            "memories": len(events["events"]),
        }

    def tidied(self, episode_id: str) -> None:
        """Waits until nothing is left of an episode."""
        eventually(lambda: None if any(self.left(episode_id).values()) else True, "a tidy-up")

    def ages(self, episode_id: str, track: str) -> None:
        """Has a track been where it is, and waited for, for a year."""
        long_ago = "2025-01-01T00:00:00.000Z"
        self.client("dynamodb").update_item(
            TableName=self.table,
            Key={"pk": {"S": f"EPISODE#everybody#{episode_id}"}, "sk": {"S": "EPISODE"}},
            UpdateExpression="SET #track.#since = :then, GSI2SK = :then",
            ExpressionAttributeNames={"#track": track, "#since": "since"},
            ExpressionAttributeValues={":then": {"S": long_ago}},
        )

    def sweep(self) -> dict[str, Any]:
        """Calls who looks after episodes as its schedule does."""
        return invoke(self.client, self.care, kind="sweep")

    def size(self, key: str) -> int:
        """Bytes of an object."""
        return int(self.client("s3").head_object(Bucket=self.bucket, Key=key)["ContentLength"])
