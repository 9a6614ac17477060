"""The local Transcribe's batch API with an account around it that is memory, and a real client."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.flows.sound import encoded
from local.services import transcribe_batch
from local.services.tones import SENTENCE_END, silence, speech

RATE = 16000
BUCKET = "meetings"
ROLE = "arn:aws:iam::123456789012:role/transcribe"


def recording(*said: tuple[int | None, str], encoding: str = "flac") -> bytes:
    """What voices say one after the other, as a file."""
    parts = [speech([*text.split(), SENTENCE_END], RATE, pitch) for pitch, text in said]
    return encoded(b"".join([silence(0.5, RATE), *parts]), RATE, encoding)


@dataclass
class Account:
    """Objects by bucket and key."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """Of objects that are larger than they are, by key."""
    forbidden: set[str] = field(default_factory=set)
    """Actions."""
    trusted: bool = True
    asked: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)
    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    account: str = "123456789012"
    region: str = "us-east-1"

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        self.asked.append((access_key, action, resource, context))
        return action in self.forbidden

    def assumable(self, role_arn: str) -> bool:
        return self.trusted and role_arn == ROLE

    def s3_of_caller(self, access_key: str) -> "S3":
        return S3(self, access_key)

    def s3_of_role(self, role_arn: str, _name: str) -> "S3":
        return S3(self, role_arn)

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], _resource: str) -> None:
        self.events.append((source, detail_type, dict(detail)))


@dataclass
class S3:
    """What is used of boto3's client, in somebody's name."""

    account: Account
    name: str

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        data = self._object(Bucket, Key)
        return {"ContentLength": self.account.sizes.get(Key, len(data))}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        Path(path).write_bytes(self._object(bucket, key))

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> None:  # noqa: N803
        assert ContentType or not Body
        if f"s3:PutObject {Key}" in self.account.forbidden:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "PutObject")
        self.account.objects[Bucket, Key] = Body

    def _object(self, bucket: str, key: str) -> bytes:
        if (bucket, key) not in self.account.objects or f"s3:GetObject {self.name}" in self.account.forbidden:
            raise ClientError({"Error": {"Code": "403", "Message": ""}}, "GetObject")
        return self.account.objects[bucket, key]


@dataclass
class Served:
    """The service, and its only client."""

    account: Account
    client: Any
    now: list[float]

    def start(self, name: str = "one", media: bytes | None = None, **more: Any) -> dict[str, Any]:
        """Starts a job."""
        if media is not None:
            self.account.objects[BUCKET, "audio/one.flac"] = media
        given = {**request(name), **more}
        answer: dict[str, Any] = self.client.start_transcription_job(
            **{k: v for k, v in given.items() if v is not None}
        )
        return dict(answer["TranscriptionJob"])

    def get(self, name: str = "one") -> dict[str, Any]:
        """Asks for a job."""
        return dict(self.client.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"])

    def done(self, media: bytes, name: str = "one", **more: Any) -> dict[str, Any]:
        """Starts a job, and asks until it has ended."""
        self.start(name, media, **more)
        assert self.get(name)["TranscriptionJobStatus"] == "IN_PROGRESS"
        return self.get(name)

    def transcript(self) -> dict[str, Any]:
        """What was written."""
        found: dict[str, Any] = json.loads(self.account.objects[BUCKET, "transcripts/one.json"])
        return found


def request(name: str) -> dict[str, Any]:
    """A request as the workflow makes it."""
    return {
        "TranscriptionJobName": name,
        "LanguageCode": "en-US",
        "MediaFormat": "flac",
        "Media": {"MediaFileUri": f"s3://{BUCKET}/audio/one.flac"},
        "OutputBucketName": BUCKET,
        "OutputKey": "transcripts/one.json",
        "Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
    }


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """Serves while the block lasts."""
    account, now = Account(), [1_800_000_000.0]
    with transcribe_batch.serve(account, now=lambda: now[0]) as port:
        client = boto3.client(
            "transcribe",
            "us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="KEY",
            aws_secret_access_key="secret",
            # What breaks a rule must get as far as the service.
            config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False),
        )
        try:
            yield Served(account, client, now)
        finally:
            client.close()
