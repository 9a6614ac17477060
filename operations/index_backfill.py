"""Gives meetings the items that an index by participant or by tag lists: what going back to these indexes needs.

An index has one entry an item, and a meeting has many participants. So each has an item of its own, in its user's
partition, so that a role bound to the user reads it and no other. It has no `startedAt`: the index by date has it not.
Items are named by what they say, and written or removed only where their meeting is still as it was read: whoever runs
this twice, or while meetings change, has what is so, once. Runbook: roll-back-indexes.
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
from operations.aws_gateway import told
from operations.command_context import Desk
from operations.command_errors import Refused
from operations.function_target import named

SUMMARY = "write the items that an index of meetings lists"
SUBSYSTEM = "meetings"
ATTRIBUTES = {"participants": "participantSearch", "tags": "tagSearch"}
"""What of a meeting, and the attribute that its index is sorted by."""
PAGE = 25
AT_ONCE = 90
"""Changes of one transaction, which takes a hundred; each transaction looks at the meeting too."""
Key = Mapping[str, Any]


@dataclass
class _Count:
    meetings: int = 0
    written: int = 0
    removed: int = 0
    changed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.meetings} meetings looked at, {self.written} items written, {self.removed} removed, "
            f"{self.changed} meetings changed meanwhile"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("what", choices=sorted(ATTRIBUTES), help="what the index is by")
    parser.add_argument("--per-second", type=float, default=25.0, help="meetings a second (default: %(default)s)")
    parser.add_argument("--after", default="", help="go on after a run that broke off, as it has printed")
    parser.add_argument("--remove", action="store_true", help="remove these items again")


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Goes through the table: 0 when every meeting has its items, 2 where some changed meanwhile."""
    stack, what, remove, per_second = options.stack, options.what, options.remove, options.per_second
    if per_second <= 0:
        raise Refused(f"--per-second {per_second:g}: give meetings a second, above 0")
    filling = _Filling(desk.clients("dynamodb"), named(Kind.TABLE, stack, SUBSYSTEM, SUBSYSTEM), what, remove)
    start = _key_of(options.after) if options.after else None
    count = _Count()
    try:
        while True:
            begun = desk.clock()
            items, following = filling.page(start)
            for item in items:
                filling.fill(item, count)
            if following is None:
                break
            start = following
            desk.wait(max(0.0, PAGE / per_second - (desk.clock() - begun)))
    except (Refused, KeyboardInterrupt) as error:
        more = f" --after {start[PARTITION]['S']}/{start[SORT]['S']}" if start else ""
        desk.say(f"broken off: {count}; go on by `backfill --stack {stack} {what}{' --remove' * remove}{more}`")
        raise error if isinstance(error, Refused) else Refused("interrupted") from None
    desk.say(f"{count}{'; run it again for these' if count.changed else ''}")
    return 2 if count.changed else 0


@dataclass(frozen=True)
class _Filling:
    dynamodb: Any
    table: str
    what: str
    remove: bool

    def page(self, start: Key | None) -> tuple[Sequence[Item], Key | None]:
        with told("dynamodb:Scan", self.table):
            answer = self.dynamodb.scan(
                TableName=self.table,
                Limit=PAGE,
                ConsistentRead=True,
                **({"ExclusiveStartKey": start} if start else {}),
            )
        return answer["Items"], answer.get("LastEvaluatedKey")

    def fill(self, item: Item, count: _Count) -> None:
        """One meeting; other items are none of ours."""
        meeting = deserialize_item(item)
        user, meeting_id = meeting[PARTITION], meeting[SORT]
        if not (re.fullmatch(user_ids.USER_ID_PATTERN, user) and re.fullmatch(ulid.ULID_PATTERN, meeting_id)):
            return
        count.meetings += 1
        wanted = {} if self.remove else {one[SORT]: one for one in self._wanted(meeting)}
        there = set(self._there(user, meeting_id))
        put = [
            {"Put": {"TableName": self.table, "Item": serialize_item(wanted[key])}}
            for key in sorted(wanted.keys() - there)
        ]
        gone = [
            {"Delete": {"TableName": self.table, "Key": serialize_item({PARTITION: user, SORT: key})}}
            for key in sorted(there - wanted.keys())
        ]
        changes = [*put, *gone]
        for at in range(0, len(changes), AT_ONCE):
            if not self._done(meeting, changes[at : at + AT_ONCE]):
                count.changed += 1
                return
        count.written += len(put)
        count.removed += len(gone)

    def _wanted(self, meeting: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        """An item each; its key says what it says, so another name or another date is another item."""
        for name in sorted({" ".join(one.casefold().split()) for one in meeting.get(self.what, ())}):
            value = f"{name}#{meeting[INDEX_SORT]}"
            key = f"{self._prefix(meeting[SORT])}{sha256(value.encode()).hexdigest()[:32]}"
            yield {PARTITION: meeting[PARTITION], SORT: key, ATTRIBUTES[self.what]: value, "of": meeting[SORT]}

    def _there(self, user: str, meeting_id: str) -> Iterator[str]:
        with told("dynamodb:Query", self.table):
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

    def _done(self, meeting: Mapping[str, Any], changes: Sequence[Item]) -> bool:
        """Whether these were made; not where the meeting is no longer as it was read."""
        unchanged = {
            "TableName": self.table,
            "Key": serialize_item({PARTITION: meeting[PARTITION], SORT: meeting[SORT]}),
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": serialize_item({":version": meeting["version"]}),
        }
        with told("dynamodb:TransactWriteItems", self.table):
            try:
                self.dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": unchanged}, *changes])
            except ClientError as error:
                if error.response["Error"]["Code"] == "TransactionCanceledException":
                    return False
                raise
        return True

    def _prefix(self, meeting_id: str) -> str:
        return f"{meeting_id}#{self.what.removesuffix('s')}#"


def _key_of(after: str) -> Key:
    user, _, sort = after.partition("/")
    if not (user and sort):
        raise Refused("--after is what a run that broke off has printed: <user>/<key>")
    return serialize_item({PARTITION: user, SORT: sort})
