"""Command `backfill`: write the table items that an index of meetings by participant or by tag needs.

An operator runs it to restore one of these indexes (docs/runbooks/roll-back.md). An index has one entry per
item, and a meeting has several participants, so each participant or tag of a meeting gets a separate item. The item is
in the partition of the meeting's user, so that a role that is limited to this user can read it. It has no `startedAt`,
so that the index by date omits it.

An item's key is derived from its content, and items are only written or removed if their meeting has not changed since
it was read. So the command may run twice, or while meetings change, without wrong or duplicate items.
"""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from components.blocks.naming.physical_names import Kind
from handlers.common.aws.dynamodb_values import Item, deserialize_item, serialize_item
from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid
from handlers.meetings.meeting_record import INDEX_SORT, PARTITION, SORT
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed
from operations.function_target import build_name

SUMMARY = "write the table items for an index of meetings by participant or tag"
SUBSYSTEM = "meetings"
ATTRIBUTES = {"participants": "participantSearch", "tags": "tagSearch"}
"""Sort key attribute of each index. The dictionary key is the field of a meeting that the index lists."""
PAGE = 25
"""Number of items that are read at a time."""
MAX_CHANGES = 90
"""Maximum number of changes in a transaction. DynamoDB allows 100 actions, and one of them checks the meeting."""
Key = Mapping[str, Any]
"""Primary key of a table item, in DynamoDB's attribute format."""


@dataclass
class _BackfillCount:
    """Counters that the command prints at its end."""

    meetings: int = 0
    """Meetings that were read."""
    written: int = 0
    """Items that were written, except those of meetings that count as changed."""
    removed: int = 0
    """Items that were removed, except those of meetings that count as changed."""
    changed: int = 0
    """Meetings that changed between reading and writing. Some of their items may be written or removed, but not all."""

    def __str__(self) -> str:
        return (
            f"{self.meetings} meetings read, {self.written} items written, {self.removed} removed, "
            f"{self.changed} meetings changed meanwhile"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=sorted(ATTRIBUTES), help="field of the meetings that the index lists")
    parser.add_argument("--per-second", type=float, default=25.0, help="meetings per second (default: %(default)s)")
    parser.add_argument("--after", default="", help="position at which to continue, as an interrupted run printed it")
    parser.add_argument("--remove", action="store_true", help="remove the items of the index instead of writing them")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Process all meetings. Return 0 if none of them changed meanwhile, or else 2."""
    stack, what, remove, per_second = options.stack, options.what, options.remove, options.per_second
    if per_second <= 0:
        raise CommandFailed(f"--per-second {per_second:g}: give a number of meetings per second above 0.")
    backfill = _Backfill(context.clients("dynamodb"), build_name(Kind.TABLE, stack, SUBSYSTEM, SUBSYSTEM), what, remove)
    start = _parse_key(options.after) if options.after else None
    count = _BackfillCount()
    try:
        while True:
            started = context.clock()
            items, next_start = backfill.read_page(start)
            for item in items:
                backfill.fill_meeting(item, count)
            if next_start is None:
                break
            start = next_start
            context.wait(max(0.0, PAGE / per_second - (context.clock() - started)))
    except (CommandFailed, KeyboardInterrupt) as error:
        more = f" --after {start[PARTITION]['S']}/{start[SORT]['S']}" if start else ""
        context.print_line(
            f"interrupted: {count}; continue with `backfill --stack {stack} {what}{' --remove' * remove}{more}`"
        )
        raise error if isinstance(error, CommandFailed) else CommandFailed("interrupted") from None
    context.print_line(f"{count}{'; run the command again for these' if count.changed else ''}")
    return 2 if count.changed else 0


@dataclass(frozen=True)
class _Backfill:
    dynamodb: Any
    table: str
    """Physical name of the meetings table."""
    what: str
    """`participants` or `tags`."""
    remove: bool
    """True to remove the items of the index instead of writing them."""

    def read_page(self, start: Key | None) -> tuple[Sequence[Item], Key | None]:
        """Return the next items of the table, and the key after which to continue, or None at the end."""
        with translate_errors("dynamodb:Scan", self.table):
            answer = self.dynamodb.scan(
                TableName=self.table,
                Limit=PAGE,
                ConsistentRead=True,
                **({"ExclusiveStartKey": start} if start else {}),
            )
        return answer["Items"], answer.get("LastEvaluatedKey")

    def fill_meeting(self, item: Item, count: _BackfillCount) -> None:
        """Write or remove the index items of a meeting. Table items that are not meetings are skipped."""
        meeting = deserialize_item(item)
        user, meeting_id = meeting[PARTITION], meeting[SORT]
        if not (re.fullmatch(user_ids.USER_ID_PATTERN, user) and re.fullmatch(ulid.ULID_PATTERN, meeting_id)):
            return
        count.meetings += 1
        wanted = {} if self.remove else {entry[SORT]: entry for entry in self._build_items(meeting)}
        existing = set(self._list_keys(user, meeting_id))
        puts = [
            {"Put": {"TableName": self.table, "Item": serialize_item(wanted[key])}}
            for key in sorted(wanted.keys() - existing)
        ]
        deletions = [
            {"Delete": {"TableName": self.table, "Key": serialize_item({PARTITION: user, SORT: key})}}
            for key in sorted(existing - wanted.keys())
        ]
        changes = [*puts, *deletions]
        for start in range(0, len(changes), MAX_CHANGES):
            if not self._write(meeting, changes[start : start + MAX_CHANGES]):
                count.changed += 1
                return
        count.written += len(puts)
        count.removed += len(deletions)

    def _build_items(self, meeting: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        """Yield the item of each participant or tag.

        The sort key ends with a hash of the name and the meeting's date. So if one of them changes, the item is new.
        """
        for name in sorted({" ".join(value.casefold().split()) for value in meeting.get(self.what, ())}):
            value = f"{name}#{meeting[INDEX_SORT]}"
            key = f"{self._prefix(meeting[SORT])}{sha256(value.encode()).hexdigest()[:32]}"
            # The attribute `of` has the id of the meeting.
            yield {PARTITION: meeting[PARTITION], SORT: key, ATTRIBUTES[self.what]: value, "of": meeting[SORT]}

    def _list_keys(self, user: str, meeting_id: str) -> Iterator[str]:
        """Yield the sort keys of the meeting's existing items."""
        with translate_errors("dynamodb:Query", self.table):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.table,
                KeyConditionExpression="#user = :user AND begins_with(#key, :key)",
                ExpressionAttributeNames={"#user": PARTITION, "#key": SORT},
                ExpressionAttributeValues=serialize_item({":user": user, ":key": self._prefix(meeting_id)}),
                ConsistentRead=True,
            )
            for page in pages:
                for item in page["Items"]:
                    yield item[SORT]["S"]

    def _write(self, meeting: Mapping[str, Any], changes: Sequence[Item]) -> bool:
        """Write the changes. Return False if DynamoDB cancelled them, as a rule because the meeting has changed."""
        unchanged = {
            "TableName": self.table,
            "Key": serialize_item({PARTITION: meeting[PARTITION], SORT: meeting[SORT]}),
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": serialize_item({":version": meeting["version"]}),
        }
        with translate_errors("dynamodb:TransactWriteItems", self.table):
            try:
                self.dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": unchanged}, *changes])
            except ClientError as error:
                if error.response["Error"]["Code"] == "TransactionCanceledException":
                    return False
                raise
        return True

    def _prefix(self, meeting_id: str) -> str:
        """Return the start of the sort key of the meeting's items, for example `<meetingId>#participant#`."""
        return f"{meeting_id}#{self.what.removesuffix('s')}#"


def _parse_key(after: str) -> Key:
    user, _, sort = after.partition("/")
    if not (user and sort):
        raise CommandFailed("--after must be <user>/<key>, as an interrupted run printed it.")
    return serialize_item({PARTITION: user, SORT: sort})
