"""Command `announce`: put files of ingestion's landing bucket into the intake queue again, as S3 announces new files.

An operator runs it if files have no record in the file table, for example because S3's notifications were lost. A file is
one version of an object. The command leaves out files that have a record. The manifest builder, the function that reads
the queue, also records a file only if it has no record under the announced date. So the command may be repeated.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import quote_plus

from components.core import Kind
from handlers.common import ids
from handlers.common.aws import MAX_WORKERS, ParallelCalls
from handlers.common.ids import timestamp
from handlers.ingestion.files import FileTable, parse_arrived_files
from operations.command import CommandContext, CommandFailed, build_name, translate_errors

SUMMARY = "put files of ingestion's landing bucket into the intake queue again"
INCOMING = "incoming/"
"""Prefix of all files that ingestion accepts in the landing bucket."""
NOTIFICATION_GRACE_PERIOD = timedelta(hours=1)
"""Younger files are left out, because S3's notification may still arrive. With another date, it adds a second record."""
VERSIONS_AT_ONCE = 1000
"""Number of versions that are kept in memory and announced in parallel."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prefix", default=INCOMING, help="beginning of the files' keys (default: %(default)s)")
    description = "earliest modification time of the files in UTC, for example 2026-01-31 or 2026-01-31T12:00"
    parser.add_argument("--since", type=_parse_time, metavar="TIME", help=description)


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Announce the versions with this prefix and modification time that have no record. Print how many there are."""
    prefix, since = options.prefix, options.since
    if not prefix.startswith(INCOMING):
        raise CommandFailed(f"--prefix {prefix}: give a prefix that begins with {INCOMING}.")
    latest = ids.now() - NOTIFICATION_GRACE_PERIOD
    _, account = context.get_caller()
    sqs = context.clients("sqs")
    bucket = build_name(Kind.BUCKET, options.stack, "ingestion", "landing", account)
    queue = build_name(Kind.QUEUE, options.stack, "ingestion", "intake")
    with translate_errors(queue):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    table = build_name(Kind.TABLE, options.stack, "ingestion", "files")
    # `record_days` is the retention of new records, and this command creates none.
    files = FileTable(context.resources("dynamodb").Table(table), record_days=1, clock=ids.now)

    def announce(version: Mapping[str, Any]) -> bool:
        """Announce a version, unless it has a record. Return True if it was announced."""
        message = build_message(bucket, version)
        [file] = parse_arrived_files(message)
        if files.has_record(file):
            return False
        sqs.send_message(QueueUrl=url, MessageBody=message)
        return True

    versions = (
        version
        for version in _list_versions(context.clients("s3"), bucket, prefix)
        if (since is None or since <= version["LastModified"]) and version["LastModified"] <= latest
    )
    count, parallel = 0, ParallelCalls(MAX_WORKERS)
    while batch := list(islice(versions, VERSIONS_AT_ONCE)):
        with translate_errors(f"{table} or {queue}"):
            count += sum(parallel.call_all(announce, batch))
    context.print_line(
        f"{count} files without a record announced; files modified after {timestamp(latest)} were left out"
    )
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
