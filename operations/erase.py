"""Command `erase`: delete all meetings and episodes of one user, as the user's own deletions do.

With `--yes`, it sends the messages that make functions of the stack remove the data, and marks each meeting and episode
as deleted. A failed run is completed by the next one, which repeats both. The messages of deleted meetings are repeated
too, but such a meeting is counted only while an object of it is stored. No other backend stores data under a user's id:
captions are not stored for long, and guests of voice Q&A have no account (docs/voice-qa.md).
"""

import argparse
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from components.core import Kind
from handlers.common import ids
from handlers.common.records import Records
from handlers.livestream import episode_table
from handlers.livestream.episode_table import DeletedEpisode, EpisodeNotFound, EpisodeTable
from handlers.meetings import deletions
from handlers.meetings.deletions import DeletedMeeting
from handlers.meetings.record import (
    PARTITION,
    SORT,
    MeetingRecord,
    MeetingStatus,
    apply_deletion,
    record_attributes,
    record_key,
)
from handlers.meetings.s3_keys import ALL_PREFIXES, MeetingId
from operations.command import NO_BUCKET, NOT_FOUND, CommandContext, CommandFailed, build_name, translate_errors

SUMMARY = "delete all meetings and episodes of one user"
PAGE_SIZE = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", required=True, help="the user's id: the field `user` of the answer of POST /exchange")
    parser.add_argument("--yes", action="store_true", help="delete; without it, the command only counts")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Count or delete a user's data. A stack may lack either backend."""
    if re.fullmatch(ids.USER_ID_PATTERN, options.user) is None:
        raise CommandFailed("--user: give the id, which has 32 characters of A-Z and 2-7, not a name or an address.")
    has_backend = False
    for things, erase in (("meetings", _erase_meetings), ("episodes", _erase_episodes)):
        try:
            count = erase(context, options)
        except CommandFailed as error:
            if error.code not in {NOT_FOUND, NO_BUCKET}:
                raise
            context.print_line(f"{things}: not in this stack")
        else:
            has_backend = True
            result = "deleted" if options.yes else "found; --yes deletes them" if count else "found"
            context.print_line(f"{things}: {count} {result}")
    if not has_backend:
        raise CommandFailed(
            f"The stack {options.stack} has neither meetings nor livestream. Check --stack, the account and the Region."
        )
    return 0


def _erase_meetings(context: CommandContext, options: argparse.Namespace) -> int:
    dynamodb, s3 = context.clients("dynamodb"), context.clients("s3")
    table = build_name(Kind.TABLE, options.stack, "meetings", "meetings")
    bucket = build_name(Kind.BUCKET, options.stack, "meetings", "recordings", context.get_caller()[1])
    with translate_errors(table):
        is_deleted = dict(_list_meetings(dynamodb, table, options.user))
    with translate_errors(bucket):
        # A meeting whose upload has not ended has no record yet, so only its objects show that it exists.
        stored = set(_list_stored(s3, bucket, options.user))
    found = stored | is_deleted.keys()
    if options.yes and found:
        records = Records(dynamodb, table, MeetingRecord, record_attributes)
        sqs, url = _open_queue(context, options.stack, "meetings")
        for meeting_id in sorted(found):
            meeting = MeetingId(options.user, meeting_id)
            with translate_errors("meetings"):
                deletions.queue_deletion(sqs, url, DeletedMeeting(user=options.user, meeting_id=meeting_id))
                # Without a record, there is nothing to mark, so this changes nothing.
                records.change(record_key(meeting), lambda record: apply_deletion(record, ids.now()))
    return sum(meeting_id in stored or not is_deleted[meeting_id] for meeting_id in found)


def _erase_episodes(context: CommandContext, options: argparse.Namespace) -> int:
    name = build_name(Kind.TABLE, options.stack, "livestream", "null-check")  # the required name of the episodes' table
    table = EpisodeTable(context.clients("dynamodb"), name)
    with translate_errors(name):
        found = list(_list_episodes(table, options.user))
    if options.yes and found:
        sqs, url = _open_queue(context, options.stack, "livestream")
        for episode_id in found:
            with translate_errors("livestream"), suppress(EpisodeNotFound):  # deleted after the index listed it
                episode_table.queue_deletion(sqs, url, DeletedEpisode(owner=options.user, episode_id=episode_id))
                table.delete(options.user, episode_id)
    return len(found)


def _open_queue(context: CommandContext, stack: str, subsystem: str) -> tuple[Any, str]:
    """Return the SQS client, and the URL of the queue whose function removes the data of deleted meetings or episodes."""
    sqs, queue = context.clients("sqs"), build_name(Kind.QUEUE, stack, subsystem, "deletions")
    with translate_errors(queue):
        return sqs, sqs.get_queue_url(QueueName=queue)["QueueUrl"]


def _list_meetings(dynamodb: Any, table: str, user: str) -> Iterator[tuple[str, bool]]:
    """Yield the id of each meeting of the user, and True if it is deleted. An earlier attempt may have left its data."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#user = :user",
        ProjectionExpression="#meeting, #status",
        ExpressionAttributeNames={"#user": PARTITION, "#meeting": SORT, "#status": "status"},
        ExpressionAttributeValues={":user": {"S": user}},
        ConsistentRead=True,
    )
    items = (item for page in pages for item in page["Items"])
    return ((item[SORT]["S"], item["status"]["S"] == MeetingStatus.DELETED) for item in items)


def _list_stored(s3: Any, bucket: str, user: str) -> Iterator[str]:
    """Yield the ids of meetings of the user with objects, also with only old versions of them. Ids may be repeated."""
    for prefix in (f"{kind}{user}/" for kind in ALL_PREFIXES):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        folders = (entry["Prefix"][len(prefix) : -1] for page in pages for entry in page.get("CommonPrefixes", ()))
        yield from (folder for folder in folders if re.fullmatch(ids.ULID_PATTERN, folder))


def _list_episodes(table: EpisodeTable, user: str) -> Iterator[str]:
    position = None
    while True:
        episodes, position = table.list_episodes(user, PAGE_SIZE, position)
        yield from (episode.episode_id for episode in episodes)
        if position is None:
            return
