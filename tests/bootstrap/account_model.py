"""Model of an AWS account with several stacks: the resources that do not belong to the searched stack, and the requests
that can be made on them.

The resources are not listed by hand. Each action that the searched policies allow contributes the ARN formats of its
resources, from IAM's table of actions. Each format becomes a few resources with names and tags of other owners. A
resource is matched by tags only if the table says that the action supports `aws:ResourceTag`.
"""

import fnmatch
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from guardrails.model import iam_action_table
from local.emulation.iam.policy_conditions import Context
from local.emulation.iam.policy_evaluator import AccessRequest
from local.preview.preview_provider import ACCOUNT, REGION
from tests.bootstrap.role_template import STATE_KEY_ARN

STACK = "dev"
"""Searched stack. Only the bootstrap of dev contains the statements with which `pulumi destroy` empties stores."""
OTHER_STACK = "prod"
ANOTHER_REGION = "eu-west-1"

Tags = frozenset[tuple[str, str]]


def tags(**values: str) -> Tags:
    """Return tags as a value that can be part of a state."""
    return frozenset(values.items())


OWN_TAGS = tags(Project="polyphony", Environment=STACK)
OTHER_STACK_TAGS = tags(Project="polyphony", Environment=OTHER_STACK)
OTHER_PROJECT_TAGS = tags(Project="another", Environment=STACK)
NO_TAGS = tags()
FOREIGN_TAGS = (NO_TAGS, OTHER_STACK_TAGS, OTHER_PROJECT_TAGS)
LOWER_CASE_TAGS = tags(project="polyphony", environment=STACK)
"""IAM ignores case in the name of the key `aws:ResourceTag/Project`, so these tags could pass for the stack's tags."""
CHOSEN_TAGS = (
    *(OWN_TAGS, LOWER_CASE_TAGS, tags(Environment=STACK), tags(Project="polyphony"), OTHER_STACK_TAGS, tags(Owner="x")),
    # The tag of Glue's network interfaces.
    tags(**{"aws-glue-service-resource": "x"}),
)
"""Tags that an attacker puts on a resource, one set for each request."""

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
    "Scope": ("regional",),
    "TableName": ("another", f"polyphony_{OTHER_STACK}_files"),
    "Vendor": ("backup",),
    "ResourceType": ("recovery-point",),
}
"""Names of resources outside the stack, by placeholder of the ARN format. Other placeholders have `DEFAULT_NAMES`."""
DEFAULT_NAMES = ("another", f"polyphony-{OTHER_STACK}-another")

OWN_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-{STACK}"
FOREIGN_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Administrator"
ESM_ACTIONS = frozenset(
    f"lambda:{verb}EventSourceMapping" for verb in ("Create", "Delete", "Get", "Update")
)  # Their condition key names the function that the mapping invokes.
REMOVES_TAGS = re.compile(r":(Untag|Delete|Remove|DELETE)")
"""Actions that remove tags. Other actions of the same access level put tags."""
NOT_SENT: Context = {}
"""Request that changes tags without their keys in its context."""
STACK_SERVICES = frozenset({"backup", "dynamodb", "lambda", "ssm"})
"""Services that use the keys in a stack's settings."""
NEEDS_ANOTHER_ACCESS = re.compile(
    # A firewall is put in front of a stage only with apigateway:SetWebACL on the stage (AWS WAF guide, "Actions that
    # require additional permissions settings").
    r"wafv2:(Dis)?[aA]ssociateWebACL arn:aws:apigateway:.*"
    # The catalogue is part of each request for a database, table or connection, which is the other resource of the request.
    r"|glue:\w+ .*:catalog"
)
"""Action and ARN of accesses that have no effect without another access, which is part of the model."""
GRANT_KEY = "kms:GrantIsForAWSResource"
API_ROOTS = ("restapis", "apis", "apikeys", "usageplans")
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
    """Existing resource that has the stack's tags. The only goal is to give it the tags of another stack."""
    NEW = "new"
    """Resource that a request creates with tags. The only goal is to create it with the tags of another stack."""


@dataclass(frozen=True)
class Target:
    """Resource with the requests that can be made on it."""

    name: str
    ownership: Ownership
    tags: Tags
    accesses: tuple[Access, ...]


@dataclass(frozen=True)
class Attempt:
    """Access with the values that the attacker chooses for the request."""

    access: Access
    context: Context
    put: Tags | None = None
    """Tags that the request puts on the resource."""
    removed: frozenset[str] = field(default_factory=frozenset)
    """Keys of the tags that the request removes."""

    @functools.cached_property
    def request(self) -> AccessRequest:
        """Request for the evaluation of policies."""
        return AccessRequest(self.access.action, self.access.arn, self.context)

    @functools.cached_property
    def key(self) -> str:
        """Text that identifies the request."""
        return f"{self.access.action} {self.access.arn} {sorted(self.context.items())}"

    def tags_after(self, before: Tags) -> Tags:
        """Return the tags of the resource after the request."""
        put = self.put or NO_TAGS
        replaced = {key for key, _ in put} | self.removed
        return frozenset(item for item in before if item[0] not in replaced) | put


def expand_actions(patterns: Iterable[str]) -> frozenset[str]:
    """Return the actions of AWS that patterns match."""
    expanded: set[str] = set()
    for pattern in patterns:
        if "*" in pattern:
            service_actions = _actions_by_service()[pattern.partition(":")[0]]
            expanded |= {action for action in service_actions if fnmatch.fnmatchcase(action.lower(), pattern.lower())}
        else:
            expanded.add(pattern)
    return frozenset(expanded)


def list_targets(actions: Iterable[str], tagged_creations: frozenset[str]) -> Iterator[Target]:
    """Yield the targets of all actions. `tagged_creations` are the actions whose resources belong to a stack by tags."""
    accesses: defaultdict[tuple[str, Ownership, Tags], list[Access]] = defaultdict(list)
    for action in sorted(actions):
        for name, ownership, foreign_tags, access in _list_accesses(action):
            is_untied = ownership is Ownership.NEW and action not in tagged_creations
            if not is_untied and not NEEDS_ANOTHER_ACCESS.fullmatch(f"{action} {access.arn}"):
                accesses[name, ownership, foreign_tags].append(access)
    for (name, ownership, foreign_tags), items in accesses.items():
        # A type of resource that can only be tagged shows nothing that the other types do not show.
        if any(access.level is not AccessLevel.TAGGING for access in items):
            yield Target(name, ownership, foreign_tags, tuple(items))


@functools.cache
def list_attempts(ownership: Ownership, access: Access, now: Tags) -> tuple[Attempt, ...]:
    """Return the requests that an attacker can make to get an access, while the target has some tags."""
    return tuple(_list_attempts(ownership, access, now))


def _list_attempts(ownership: Ownership, access: Access, now: Tags) -> Iterator[Attempt]:
    for seen in _seen_tags(now) if access.sees_tags else (NO_TAGS,):
        resource_tags = {f"aws:ResourceTag/{key}": value for key, value in seen}
        if ownership is Ownership.NEW:
            for put in (OTHER_STACK_TAGS, OTHER_PROJECT_TAGS):
                yield Attempt(access, {**_request_tags(put), **_region(access)}, put)
        elif access.level is AccessLevel.TAGGING:
            # A service may change tags without sending their keys to IAM. So IAM recommends `Null` beside `ForAllValues`.
            if REMOVES_TAGS.search(access.action):
                for key in ("Environment", "Owner"):
                    for sent in ({"aws:TagKeys": [key]}, NOT_SENT):
                        yield Attempt(access, {**resource_tags, **sent, **_region(access)}, removed=frozenset({key}))
            else:
                for put in CHOSEN_TAGS:
                    for sent in (_request_tags(put), NOT_SENT):
                        yield Attempt(access, {**resource_tags, **sent, **_region(access)}, put)
        else:
            for choice in _list_choices(access.action):
                yield Attempt(access, {**resource_tags, **_region(access), **choice})


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
            own = _fill(arn_format, "own")
            yield own, Ownership.OWN, OWN_TAGS, Access(action, own, level, sees_tags)
        if is_creation:
            new = _fill(arn_format, "new")
            yield new, Ownership.NEW, NO_TAGS, Access(action, new, level, sees_tags=False)
        for number, arn in enumerate(_list_foreign_arns(arn_format)):
            # One name with all tags, and all names with one set of tags, are enough: no policy compares both.
            all_tags = FOREIGN_TAGS if number == 0 else (OTHER_STACK_TAGS,)
            for foreign_tags in all_tags if sees_tags else (NO_TAGS,):
                yield arn, Ownership.OUTSIDE, foreign_tags, Access(action, arn, level, sees_tags)


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


def _fill(arn_format: str, name: str) -> str:
    values = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT, "Scope": "regional", "Vendor": "backup"}
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], name), arn_format.replace(":*:$", f":{ACCOUNT}:$"))


def _list_foreign_arns(arn_format: str) -> Iterator[str]:
    placeholders = re.findall(r"\$\{(\w+)\}", arn_format)
    named = [name for name in placeholders if name not in {"Partition", "Region", "Account"}]
    variant_count = max((len(FOREIGN_NAMES.get(name, DEFAULT_NAMES)) for name in named), default=1)
    for number in range(variant_count):

        def value(match: re.Match[str], number: int = number) -> str:
            fixed = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT}
            names = FOREIGN_NAMES.get(match[1], DEFAULT_NAMES)
            return fixed.get(match[1]) or names[min(number, len(names) - 1)]

        yield re.sub(r"\$\{(\w+)\}", value, arn_format.replace(":*:$", f":{ACCOUNT}:$"))


def _seen_tags(now: Tags) -> Iterator[Tags]:
    """Yield the tags that IAM may see if two keys differ only in case: either of them."""
    by_key: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in sorted(now):
        by_key[item[0].lower()].append(item)
    yield frozenset(items[0] for items in by_key.values())
    if any(len(items) > 1 for items in by_key.values()):
        yield frozenset(items[-1] for items in by_key.values())


def _request_tags(put: Tags) -> dict[str, str | list[str]]:
    return {"aws:TagKeys": sorted(key for key, _ in put), **{f"aws:RequestTag/{key}": value for key, value in put}}


def _region(access: Access) -> dict[str, str]:
    return {"aws:RequestedRegion": access.arn.split(":")[3] or REGION} if access.arn != "*" else {}


def _list_choices(action: str) -> Sequence[Context]:
    """Return the values that an attacker can choose for an action's own condition keys."""
    if action.startswith("kms:"):
        uses = [(service, grant) for service in (*sorted(STACK_SERVICES), "ec2") for grant in ("false", "true")]
        return [
            {},
            *({"kms:ViaService": f"{service}.{REGION}.amazonaws.com", GRANT_KEY: grant} for service, grant in uses),
        ]
    if action in ESM_ACTIONS:
        return [{"lambda:FunctionArn": FOREIGN_FUNCTION}]
    match action:
        case "iam:CreateRole" | "iam:PutRolePermissionsBoundary":
            return [{"iam:PermissionsBoundary": OWN_BOUNDARY}]
        case "iam:PassRole":
            return [{"iam:PassedToService": "lambda.amazonaws.com"}]
        case "iam:CreateServiceLinkedRole":
            return [
                {"iam:AWSServiceName": "backup.amazonaws.com"},
                {"iam:AWSServiceName": "organizations.amazonaws.com"},
            ]
        case "events:PutEvents":
            return [{"events:source": f"polyphony-{OTHER_STACK}.livestream"}]
    if action.startswith("ec2:Describe"):
        return [{"aws:RequestedRegion": REGION}, {"aws:RequestedRegion": ANOTHER_REGION}]
    return [{}]


@functools.cache
def _actions_by_service() -> Mapping[str, list[str]]:
    from policy_sentry.querying.all import get_all_actions  # noqa: PLC0415 - reads 13 MB, so only when needed

    by_service: defaultdict[str, list[str]] = defaultdict(list)
    for action in get_all_actions():
        by_service[action.partition(":")[0]].append(action)
    return by_service
