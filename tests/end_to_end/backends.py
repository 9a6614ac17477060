"""Clients of the deployed backends with access to their tables, buckets, queues and functions, which users do not have."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from handlers.common.ids import DEFAULT_OWNER, derive_user_id
from handlers.common.records import serialize_item
from handlers.meetings.s3_keys import ALL_PREFIXES, MeetingId
from handlers.transcription.environment import FALLBACK_METRIC, METRICS_NAMESPACE
from handlers.voice_qa.messages import LectureState
from handlers.voice_qa.records import QuestionReference, lecture_key, query_key
from local.flows import USER, eventually, identity
from local.flows.livestream_client import LivestreamBackend
from local.flows.meetings_client import MeetingsBackend
from local.flows.transcription_client import TranscriptionBackend
from local.flows.voice_qa_client import VoiceQaBackend
from local.flows.websocket_client import Message
from local.platform.emulator_clients import invoke
from tests.end_to_end.deployment import Deployment


class DeployedTranscription(TranscriptionBackend):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.stack)
        self.client, self.faults = deployment.client, deployment.faults
        self.processor = deployment.ids["transcription-audio-processor-function"]

    def count_fallbacks(self) -> float:
        """Return the number of utterances that got only final captions in the last hour, because of a fault."""
        now = time.time()
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=METRICS_NAMESPACE,
            MetricName=FALLBACK_METRIC,
            Dimensions=[{"Name": "FunctionName", "Value": self.processor}],
            StartTime=now - 3600,
            EndTime=now + 60,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(float(point["Sum"]) for point in points)


def count_messages(client: Callable[[str], Any], queue_url: str, *states: str) -> int:
    """Return the number of messages in states as SQS names them. An empty state means visible messages."""
    names: Any = [f"ApproximateNumberOfMessages{state}" for state in states]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def wait_until_empty(client: Callable[[str], Any], queue_url: str) -> None:
    """Wait until a queue has no messages except delayed messages."""
    eventually(lambda: None if count_messages(client, queue_url, "", "NotVisible") else True, "an empty queue", 60)


class DeployedVoiceQa(VoiceQaBackend):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.stack)
        self.client = deployment.client
        self.bucket = deployment.ids["voice-qa-audio-bucket"]
        self.table = deployment.ids["voice-qa-sessions-table"]
        self.time_limit_queue = deployment.ids["voice-qa-time-limits-queue"]

    def find_record(self, lecture_id: str) -> Message | None:
        """Return the table's record of a lecture, or None before the lecture is validated."""
        key = serialize_item(lecture_key(lecture_id))
        item = self.client("dynamodb").get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        record = {name: next(iter(value.values())) for name, value in item.items()}
        return None if record.get("status") in {None, LectureState.PENDING} else record

    def wait_until_validated(self, lecture_id: str) -> Message:
        """Wait until a lecture is validated, and return its record."""
        return eventually(lambda: self.find_record(lecture_id), "a validated lecture")

    def count_turns(self, identity_id: str, session: str, lecture_id: str) -> int:
        """Return the number of questions with answers in a guest's conversation about a lecture."""
        key = {"sessionId": {"S": f"{identity_id}#{session}"}, "lectureId": {"S": lecture_id}}
        item = self.client("dynamodb").get_item(TableName=self.table, Key=key, ConsistentRead=True)["Item"]
        return int(item["totalTurns"]["N"])

    def wait_until_reported(self, guest_id: str, query_id: str) -> None:
        """Wait until the end of a question is marked as reported, which happens after its client got the last message."""
        key, table = serialize_item(query_key(guest_id, query_id)), self.client("dynamodb")
        eventually(
            lambda: table.get_item(TableName=self.table, Key=key)["Item"]["reported"]["BOOL"] or None, "a reported end"
        )

    def send_time_limit_check(self, guest_id: str, query_id: str) -> None:
        """Send a time limit check now. The backend sends this message with a delay, to find questions that have not ended."""
        check = QuestionReference(guest_id=guest_id, query_id=query_id)
        body = check.model_dump_json(by_alias=True)
        self.client("sqs").send_message(QueueUrl=self.time_limit_queue, MessageBody=body)

    def count_delayed_checks(self) -> int:
        """Return the number of time limit checks whose delay has not ended."""
        return count_messages(self.client, self.time_limit_queue, "Delayed")

    def wait_until_checks_are_performed(self) -> None:
        """Wait until every time limit check whose delay has ended was performed."""
        wait_until_empty(self.client, self.time_limit_queue)


class DeployedLivestream(LivestreamBackend):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.stack)
        self.client, ids = deployment.client, deployment.ids
        issuer = self.stack.frontend["identity"]["issuer"]
        self.owner = derive_user_id(issuer, USER) if self.token else DEFAULT_OWNER
        """Owner that S3 and DynamoDB keys contain for the episodes."""
        self.bucket = ids["livestream-transcripts-bucket"]
        self.table = ids["livestream-null-check-table"]
        """Name of the table of episodes, which the requirements name `NullCheckTable`."""
        self.deletions_queue = ids["livestream-deletions-queue"]
        self.memory = ids["livestream-memory-memory"]

    def create_episode(self, title: str, **more: object) -> dict[str, Any]:
        episode = super().create_episode(title, **more)
        self._store_memory_records(episode["episodeId"])
        return episode

    def _store_memory_records(self, episode_id: str) -> None:
        """Store a summary and a fact, which AgentCore derives from an episode's events. The emulator derives none."""
        records: Any = [
            {
                "requestIdentifier": kind,
                "namespaces": [namespace],
                "content": {"text": kind},
                "timestamp": datetime.now(UTC),
            }
            for kind, namespace in self._record_namespaces(episode_id).items()
        ]
        self.client("bedrock-agentcore").batch_create_memory_records(memoryId=self.memory, records=records)

    def _record_namespaces(self, episode_id: str) -> dict[str, str]:
        return {kind: f"/{kind}/{self.owner}/{episode_id}/" for kind in ("summaries", "facts")}

    def list_chunks(self, episode_id: str) -> list[str]:
        """Return the S3 keys of the chunks (HLS segments) of an episode's video, in order."""
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"chunks/{self.owner}/{episode_id}/")
        return sorted(item["Key"] for item in listed.get("Contents", []) if item["Key"].endswith(".ts"))

    def count_remaining_by_kind(self, episode_id: str) -> dict[str, int]:
        """Return by kind how many things are stored for an episode, without the episode's own item.

        The kinds are items of the table, object versions (including delete markers), incomplete uploads, and events and
        records in the fact-check agent's memory (Bedrock AgentCore).
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
            **{
                kind: len(memory.list_memory_records(memoryId=self.memory, namespace=name)["memoryRecordSummaries"])
                for kind, name in self._record_namespaces(episode_id).items()
            },
        }

    def wait_until_removed(self, episode_id: str) -> None:
        """Wait until nothing is stored for an episode except its own item."""
        eventually(
            lambda: None if any(self.count_remaining_by_kind(episode_id).values()) else True,
            "the removal of an episode",
        )

    def backdate_track(self, episode_id: str, track: str) -> None:
        """Make a track look as if it had been in its state for a long time, so that its time limit has ended."""
        long_ago = "2025-01-01T00:00:00.000Z"
        self.client("dynamodb").update_item(
            TableName=self.table,
            Key={"pk": {"S": f"EPISODE#{self.owner}#{episode_id}"}, "sk": {"S": "EPISODE"}},
            UpdateExpression="SET #track.#since = :then",
            ExpressionAttributeNames={"#track": track, "#since": "since"},
            ExpressionAttributeValues={":then": {"S": long_ago}},
        )


class DeployedMeetings(MeetingsBackend):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.stack)
        self.client = deployment.client
        self.workflow = deployment.ids["meetings-workflow-machine"]
        self.storage_function = deployment.function("meetings-storage")
        """Name of the function that counts the storage of each user."""

    def request_token(self, subject: str, seconds: int = identity.TOKEN_SECONDS) -> str:
        """Return a token of a user. A negative number of seconds gives an expired token."""
        return identity.request_token(self.stack.frontend, subject, seconds)

    def execution_names(self) -> list[str]:
        executions = self.client("stepfunctions").list_executions(stateMachineArn=self.workflow)["executions"]
        return [execution["name"] for execution in executions]

    def wait_until_removed(self, meeting: MeetingId) -> None:
        """Wait until no version of the deleted meeting's objects is stored."""
        s3 = self.client("s3")

        def has_no_objects() -> bool | None:
            for prefix in ALL_PREFIXES:
                folder = f"{prefix}{meeting.user}/{meeting.meeting_id}/"
                listed = s3.list_object_versions(Bucket=self.bucket, Prefix=folder)
                if listed.get("Versions") or listed.get("DeleteMarkers"):
                    return None
            return True

        eventually(has_no_objects, "the removal of a deleted meeting's objects", 60)

    def measure_storage(self) -> None:
        """Invoke the function that measures the growth of each user's storage."""
        invoke(self.client, self.storage_function)
