"""The local MediaConvert in an emulator: found by functions, judged by roles, heard on the bus."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.livestream.prefixes import VIDEOS
from handlers.livestream.upload_keys import upload_key
from handlers.livestream.video_events import JobChanged, ObjectCreated, Video, parsed
from local import emulator
from local.aws import EmulatorClients
from local.iam.decisions import read
from local.iam.evaluator import Verdict
from local.preview_provider import ACCOUNT
from tests.local.services.mediaconvert_serving import (
    BUCKET,
    EPISODE,
    PICTURES,
    ROLE,
    SOUND,
    UPLOAD,
    job,
    recorded,
    times,
)

pytestmark = [pytest.mark.e2e, pytest.mark.media, pytest.mark.xdist_group("media")]

CODE = """
import boto3

def handler(event, context):
    client = boto3.client("mediaconvert", **event.pop("credentials", {}))
    try:
        return client.create_job(**event)["Job"]["Status"]
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:heard"
JOBS = f"arn:aws:mediaconvert:us-east-1:{ACCOUNT}:queues/Default"
RULES = {"uploads": {"source": ["aws.s3"]}, "jobs": {"source": ["aws.mediaconvert"]}}
CREATE = {"Effect": "Allow", "Action": "mediaconvert:CreateJob", "Resource": JOBS}
PASS = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": ROLE,
    "Condition": {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}},
}
READ, WRITE = (
    {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{BUCKET}/{prefix}/*"}
    for action, prefix in (("s3:GetObject", "videos"), ("s3:PutObject", "chunks"))
)


@dataclass
class Site:
    """A bucket, a function that starts jobs, a role for them, and a queue that hears of everything."""

    folder: Path
    clients: EmulatorClients

    def role(self, name: str, service: str, *statements: dict[str, Any]) -> None:
        """Makes a role, or makes it anew."""
        iam = self.clients("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        condition = {} if service.startswith("lambda") else {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        document = json.dumps({"Statement": [{**trust, **({"Condition": condition} if condition else {})}]})
        known = [one["RoleName"] for one in iam.list_roles()["Roles"]]
        if name in known:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        else:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps({"Statement": [*statements]}))

    def start(self, request: dict[str, Any]) -> str:
        """Starts a job in a function; its status, or the error's code."""
        answer = self.clients("lambda").invoke(FunctionName="starter", Payload=json.dumps(request).encode())
        return str(json.loads(answer["Payload"].read()))

    def upload(self, name: str, data: bytes) -> Video:
        """Puts a video into the bucket."""
        key = f"videos/everybody/{EPISODE}/{name}"
        version = self.clients("s3").put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"]
        named = upload_key(VIDEOS, key)
        assert named is not None
        return Video(key, version, named, len(data))

    def heard(self) -> Iterator[str]:
        """Events on the bus, as they come."""
        sqs = self.clients("sqs")
        url = sqs.get_queue_url(QueueName="heard")["QueueUrl"]
        while True:
            for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
                yield one["Body"]

    def ended(self) -> JobChanged:
        """How the next job ends."""
        for body in self.heard():
            found = parsed(body, BUCKET)
            if isinstance(found, JobChanged) and found.status in {"COMPLETE", "ERROR"}:
                return found
        raise AssertionError


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("media")
    with emulator.start(folder) as started:
        clients = EmulatorClients(started.emulator.endpoint)
        s3, sqs, events = clients("s3"), clients("sqs"), clients("events")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        sender = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Statement": [{**sender, "Resource": QUEUE}]})
        sqs.create_queue(QueueName="heard", Attributes={"Policy": policy})
        for name, pattern in RULES.items():
            events.put_rule(Name=name, EventPattern=json.dumps(pattern))
            events.put_targets(Rule=name, Targets=[{"Id": "heard", "Arn": QUEUE}])
        one = Site(folder, clients)
        one.role("starter", "lambda.amazonaws.com", CREATE, PASS)
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("starter.py", CODE)
        clients("lambda").create_function(
            FunctionName="starter",
            Runtime="python3.13",
            Role=f"arn:aws:iam::{ACCOUNT}:role/starter",
            Handler="starter.handler",
            Code={"ZipFile": zipped.getvalue()},
            Timeout=20,
        )
        yield one


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this site has an emulator of its own, and roles without their grants."""


@pytest.fixture(autouse=True)
def _granted(site: Site) -> None:
    site.role("starter", "lambda.amazonaws.com", CREATE, PASS)
    site.role("media", "mediaconvert.amazonaws.com", READ, WRITE)


def test_an_uploaded_video_is_cut_and_the_bus_hears_of_all_of_it(site: Site) -> None:
    video = site.upload(f"{UPLOAD}.MP4", recorded("mp4", 5, PICTURES, SOUND))
    heard = site.heard()
    created = parsed(next(heard), BUCKET)
    assert created == ObjectCreated(video), "with its version, which the emulator by itself leaves out"
    assert site.start(job(video)) == "SUBMITTED"
    ended = site.ended()
    assert (ended.status, ended.job.version_id, ended.job.chunk_seconds) == ("COMPLETE", video.version_id, 2)
    assert ended.output is not None
    s3 = site.clients("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=ended.output.prefix)["Contents"]]
    chunks = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in sorted(keys) if key.endswith(".ts")]
    assert [len(times(one)) for one in chunks] == [10, 10, 5]
    assert ended.output.playlist in keys


def test_objects_in_parts_and_copies_have_their_versions_too(site: Site) -> None:
    s3, heard = site.clients("s3"), site.heard()
    key, copy = (f"videos/everybody/{EPISODE}/{UPLOAD}.{suffix}" for suffix in ("mkv", "webm"))
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    versions = [
        s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload=parts)["VersionId"],
        s3.copy_object(Bucket=BUCKET, Key=copy, CopySource={"Bucket": BUCKET, "Key": key})["VersionId"],
    ]
    # An earlier job's chunks may still be heard of in between.
    created = (one for body in heard if isinstance(one := parsed(body, BUCKET), ObjectCreated))
    assert {one.video.version_id for _, one in zip(versions, created, strict=False)} == set(versions)


def test_a_broken_video_is_an_error_on_the_bus(site: Site) -> None:
    assert site.start(job(site.upload(f"{UPLOAD}.mp4", b"no video"))) == "SUBMITTED"
    ended = site.ended()
    assert (ended.status, ended.error_code) == ("ERROR", 1010)


@pytest.mark.parametrize(("kept", "missing"), [((WRITE,), READ), ((READ,), WRITE)], ids=["read", "write"])
def test_a_job_may_do_what_its_role_may(site: Site, kept: tuple[dict[str, Any]], missing: dict[str, Any]) -> None:
    site.role("media", "mediaconvert.amazonaws.com", *kept)
    name = f"{UPLOAD}.{'mov' if missing is READ else 'mkv'}"
    assert site.start(job(site.upload(name, recorded("mp4", 2, PICTURES)))) == "SUBMITTED"
    ended = site.ended()
    assert (ended.status, ended.error_code) == ("ERROR", 1401)


@pytest.mark.parametrize("granted", [(CREATE,), (PASS,)], ids=["no pass", "no create"])
def test_a_function_needs_to_create_jobs_and_to_pass_the_role(site: Site, granted: tuple[dict[str, Any]]) -> None:
    site.role("starter", "lambda.amazonaws.com", *granted)
    assert site.start(job(site.upload(f"{UPLOAD}.m4v", b""))) == "AccessDeniedException"


@pytest.mark.parametrize(("key", "answer"), [("test", "SUBMITTED"), ("AKIANOBODY", "AccessDeniedException")])
def test_the_accounts_owner_may_do_all_of_it_and_a_stranger_nothing(site: Site, key: str, answer: str) -> None:
    request = job(site.upload(f"{UPLOAD}.avi", recorded("mp4", 1, PICTURES)))
    credentials = {"aws_access_key_id": key, "aws_secret_access_key": "test"}
    assert site.start({**request, "credentials": credentials}) == answer
    if answer == "SUBMITTED":
        assert site.ended().status == "COMPLETE"


def test_a_role_that_trusts_another_service_is_a_bad_request(site: Site) -> None:
    site.role("media", "elastictranscoder.amazonaws.com", READ, WRITE)
    assert site.start(job(site.upload(f"{UPLOAD}.flv", b""))) == "BadRequestException"


def test_nobody_else_speaks_as_mediaconvert(site: Site) -> None:
    entry = {"Source": "aws.mediaconvert", "DetailType": "MediaConvert Job State Change", "Detail": "{}"}
    assert site.clients("events").put_events(Entries=[entry])["FailedEntryCount"] == 1


def test_every_decision_is_on_record(site: Site) -> None:
    site.start(job(site.upload(f"{UPLOAD}.mp4", recorded("mp4", 1, PICTURES))))
    assert site.ended().status == "COMPLETE"

    wanted = {
        *(("starter", "mediaconvert:CreateJob"), ("starter", "iam:PassRole")),
        *(("media", "s3:GetObject"), ("media", "s3:PutObject")),
    }
    decisions = read(site.folder)
    assert {(one.role, one.action) for one in decisions if one.verdict is Verdict.ALLOW} >= wanted
