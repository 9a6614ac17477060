"""Command `lecture`: upload a lecture for voice Q&A and print the result of its validation.

Operators use it for stacks in which guests (browser users without login) may not upload.
"""

import argparse
import mimetypes
import re
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError

from components.blocks.naming.physical_names import Kind
from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.time_and_ids.new_ids import new_id
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.table_records import lecture_key
from operations.aws_account import get_caller
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed, UnknownOutcome
from operations.function_target import build_name

SUMMARY = "upload a lecture for voice Q&A, and wait for its validation"
SUBSYSTEM = "voice-qa"
VALIDATION_SECONDS = 600.0
"""Maximum time to wait for the validation. It is enough for two attempts of the function that validates lectures."""
READY = "ready"
"""Validation status of an accepted lecture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a recording: mp3, mp4, wav, flac, ogg or webm")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Upload the file and wait for its validation. Return 0 if the lecture is ready, or 1 if it was rejected."""
    path: Path = options.file
    if not path.is_file() or not path.stat().st_size:
        raise CommandFailed(f"{path} is not a file, or is empty: give the recording of a lecture.")
    bucket = build_name(Kind.BUCKET, options.stack, SUBSYSTEM, "audio", suffix=get_caller(context.clients).account)
    table = build_name(Kind.TABLE, options.stack, SUBSYSTEM, "sessions")
    lecture_id = new_id()
    _upload(context.clients("s3"), path, bucket, f"{s3_prefixes.LECTURES}{lecture_id}/lecture{_suffix(path)}")
    context.print_line(f"uploaded as {lecture_id}; waiting for its validation")
    item = context.poll(lambda: _get_validated(context.clients("dynamodb"), table, lecture_id), VALIDATION_SECONDS)
    if item is None:
        raise UnknownOutcome(
            f"The lecture {lecture_id} was not validated within {VALIDATION_SECONDS:.0f} s. Check the alarms of {SUBSYSTEM}. "
            "A scheduled function will try the validation again later."
        )
    if item["status"]["S"] == READY:
        context.print_line(f"{lecture_id}: ready, guests can ask questions about it")
        return 0
    context.print_line(f"{lecture_id}: rejected. {item.get('reason', {}).get('S', '')}")
    return 1


def _suffix(path: Path) -> str:
    """Return the file's suffix, or no suffix if it is unusual. The rest of the name is not used: it may be private."""
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _upload(s3: Any, path: Path, bucket: str, key: str) -> None:
    content_type = mimetypes.guess_type(path.name)[0]
    try:
        with translate_errors("s3:PutObject", bucket):
            s3.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": content_type} if content_type else None)
    except S3UploadFailedError:
        # The error's text is not shown, because it repeats S3's message with its URLs.
        raise CommandFailed(
            f"s3:PutObject on {bucket}: refused or interrupted. Check --stack, the account, and the permissions of the credentials."
        ) from None


def _get_validated(dynamodb: Any, table: str, lecture_id: str) -> dict[str, Any] | None:
    """Return the lecture's item, or None if it has no validation status yet."""
    key = serialize_item(lecture_key(lecture_id))
    with translate_errors("dynamodb:GetItem", table):
        item: dict[str, Any] = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    return item if "status" in item else None
