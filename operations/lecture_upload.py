"""Uploads a lecture as an operator, and says what the validator makes of it: where guests may upload none."""

import argparse
import mimetypes
import re
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError

from components.blocks.naming.physical_names import Kind
from handlers.common.aws.dynamodb_values import stored
from handlers.common.time_and_ids import clock
from handlers.voice_qa.environment import LECTURES_PREFIX
from handlers.voice_qa.table_records import lecture_key
from operations.aws_gateway import caller, told
from operations.command_context import Desk
from operations.command_errors import Refused, Unclear
from operations.function_target import named

SUMMARY = "upload a lecture for voice Q&A, and wait for its verdict"
SUBSYSTEM = "voice-qa"
VALIDATED_SECONDS = 600.0
"""How long a verdict may take: the validator's time, and one more try."""
READY = "ready"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", type=Path, help="a recording: mp3, mp4, wav, flac, ogg or webm")


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Uploads the file and waits for its verdict: 0 where it can be asked about, 1 where it was rejected."""
    path: Path = options.file
    if not path.is_file() or not path.stat().st_size:
        raise Refused(f"{path} is no file, or an empty one: give the recording of a lecture")
    bucket = named(Kind.BUCKET, options.stack, SUBSYSTEM, "audio", suffix=caller(desk.clients).account)
    table = named(Kind.TABLE, options.stack, SUBSYSTEM, "sessions")
    lecture_id = clock.new_id()
    _upload(desk.clients("s3"), path, bucket, f"{LECTURES_PREFIX}{lecture_id}/lecture{_suffix(path)}")
    desk.say(f"uploaded as {lecture_id}; waiting for its verdict")
    item = desk.until(lambda: _verdict(desk.clients("dynamodb"), table, lecture_id), VALIDATED_SECONDS)
    if item is None:
        raise Unclear(
            f"no verdict on {lecture_id} after {VALIDATED_SECONDS:.0f} s: look at the alarms of {SUBSYSTEM}; the sweep "
            "comes back to lectures that nobody looked at"
        )
    if item["status"]["S"] == READY:
        desk.say(f"{lecture_id}: ready, guests can ask about it")
        return 0
    desk.say(f"{lecture_id}: rejected. {item.get('reason', {}).get('S', '')}")
    return 1


def _suffix(path: Path) -> str:
    """The file's, where it is an ordinary one; the rest of the name stays here."""
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _upload(s3: Any, path: Path, bucket: str, key: str) -> None:
    kind = mimetypes.guess_type(path.name)[0]
    try:
        with told("s3:PutObject", bucket):
            s3.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": kind} if kind else None)
    except S3UploadFailedError:
        # Its text repeats what S3 said, addresses included.
        raise Refused(
            f"s3:PutObject on {bucket}: refused or broken off; check --stack, the account and what these credentials may"
        ) from None


def _verdict(dynamodb: Any, table: str, lecture_id: str) -> dict[str, Any] | None:
    key = stored(lecture_key(lecture_id))
    with told("dynamodb:GetItem", table):
        item: dict[str, Any] = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    return item if "status" in item else None
