"""Command `announce`: put files of ingestion's landing bucket into the intake queue again, as S3 announces new files.

An operator runs it if files have no record in the file table, for example because S3's notifications were lost. It also
announces files that have a record. That changes nothing, because the manifest builder, the function that reads the
queue, records a file only if it has no record (a conditional put). So the command may be repeated.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote_plus

from components.core import Kind
from handlers.common import ids
from handlers.common.ids import timestamp
from handlers.ingestion.files import NOTIFICATION_GRACE_PERIOD
from operations.command import CommandContext, CommandFailed, build_name, translate_errors

SUMMARY = "put files of ingestion's landing bucket into the intake queue again"
INCOMING = "incoming/"
"""Prefix of all files that ingestion accepts in the landing bucket."""
MESSAGES_PER_CALL = 10
"""Maximum number of messages that SQS accepts in one call."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prefix", default=INCOMING, help="beginning of the files' keys (default: %(default)s)")
    for name, meaning in (("since", "earliest"), ("until", "latest")):
        description = f"{meaning} modification time of the files in UTC, for example 2026-01-31 or 2026-01-31T12:00"
        parser.add_argument(f"--{name}", type=_parse_time, metavar="TIME", help=description)


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Announce every version of the files with this prefix and modification time, and print how many there are.

    Versions that are younger than `NOTIFICATION_GRACE_PERIOD` are left out: S3's notification may still arrive, and
    could give a file another date, under which the builder does not look for its record yet.
    """
    prefix, since = options.prefix, options.since
    if not prefix.startswith(INCOMING):
        raise CommandFailed(f"--prefix {prefix}: give a prefix that begins with {INCOMING}.")
    latest = ids.now() - NOTIFICATION_GRACE_PERIOD
    until = min(options.until, latest) if options.until else latest
    _, account = context.get_caller()
    sqs = context.clients("sqs")
    bucket = build_name(Kind.BUCKET, options.stack, "ingestion", "landing", account)
    queue = build_name(Kind.QUEUE, options.stack, "ingestion", "intake")
    with translate_errors(queue):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    versions = (
        version
        for version in _list_versions(context.clients("s3"), bucket, prefix)
        if (since is None or since <= version["LastModified"]) and version["LastModified"] <= until
    )
    count = 0
    while batch := list(islice(versions, MESSAGES_PER_CALL)):
        entries = [{"Id": str(n), "MessageBody": build_message(bucket, version)} for n, version in enumerate(batch)]
        with translate_errors(queue):
            failed = sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
        if failed:
            raise CommandFailed(f"{len(failed)} messages to {queue} failed. Run the command again, which is safe.")
        count += len(batch)
    context.print_line(f"{count} files announced; files modified after {timestamp(latest)} were left out")
    return 0


def build_message(bucket: str, version: Mapping[str, Any]) -> str:
    """Return the message with which S3 announces a version of a new object."""
    key, tag = quote_plus(version["Key"]), version["ETag"].strip('"')
    stored = {"key": key, "size": version["Size"], "eTag": tag, "versionId": version["VersionId"]}
    created = {"eventName": "ObjectCreated:Put", "eventTime": timestamp(version["LastModified"])}
    return json.dumps({"Records": [{**created, "s3": {"bucket": {"name": bucket}, "object": stored}}]})


def _list_versions(s3: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Yield every version of the objects with this prefix, without delete markers."""
    with translate_errors(bucket):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Versions", [])


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text}: give a date, or a date and a time, in the form of ISO 8601"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
