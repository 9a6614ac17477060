"""Requests that an attacker can make to use an access of `attack_targets`, which is an action on a resource.

The requests for one access differ in the values that an attacker can choose: tags, services, boundaries and regions.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from local.emulation.iam.policy_conditions import Context
from local.emulation.iam.policy_evaluator import AccessRequest
from local.preview.preview_provider import ACCOUNT, REGION
from tests.bootstrap.attack_targets import (
    NO_TAGS,
    OTHER_PROJECT_TAGS,
    OTHER_STACK,
    OTHER_STACK_TAGS,
    OWN_TAGS,
    STACK,
    Access,
    AccessLevel,
    Ownership,
    Tags,
    tags,
)

ANOTHER_REGION = "eu-west-1"
LOWER_CASE_TAGS = tags(project="polyphony", environment=STACK)
"""IAM ignores case in the name of the key `aws:ResourceTag/Project`, so these tags could pass for the stack's tags."""
CHOSEN_TAGS = (
    *(OWN_TAGS, LOWER_CASE_TAGS, tags(Environment=STACK), tags(Project="polyphony"), OTHER_STACK_TAGS, tags(Owner="x")),
    # The tag of Glue's network interfaces.
    tags(**{"aws-glue-service-resource": "x"}),
)
"""Tags that an attacker puts on a resource, one set for each request."""

OWN_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-{STACK}"
FOREIGN_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Administrator"
EVENT_SOURCE_MAPPING_ACTIONS = frozenset(
    f"lambda:{verb}EventSourceMapping" for verb in ("Create", "Delete", "Get", "Update")
)
"""Actions whose condition key names the function that the event source mapping invokes."""
REMOVES_TAGS = re.compile(r":(Untag|Delete|Remove|DELETE)")
"""Actions that remove tags. Other actions of the same access level put tags."""
NO_TAG_KEYS: Context = {}
"""Context of a request that changes tags, but does not send their keys to IAM."""
KMS_SERVICES = frozenset({"backup", "dynamodb", "lambda", "ssm"})
"""Services through which the roles may use the KMS keys that a stack's settings name."""
GRANT_KEY = "kms:GrantIsForAWSResource"


@dataclass(frozen=True)
class Attempt:
    """Access with the values that the attacker chooses for the request."""

    access: Access
    context: Context
    added_tags: Tags | None = None
    """Tags that the request puts on the resource."""
    removed_keys: frozenset[str] = field(default_factory=frozenset)
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
        added_tags = self.added_tags or NO_TAGS
        changed_keys = {key for key, _ in added_tags} | self.removed_keys
        return frozenset(item for item in before if item[0] not in changed_keys) | added_tags


@functools.cache
def list_attempts(ownership: Ownership, access: Access, current_tags: Tags) -> tuple[Attempt, ...]:
    """Return the requests that an attacker can make to use an access, while the target has the current tags."""
    return tuple(_list_attempts(ownership, access, current_tags))


def _list_attempts(ownership: Ownership, access: Access, current_tags: Tags) -> Iterator[Attempt]:
    for visible_tags in _list_visible_tags(current_tags) if access.sees_tags else (NO_TAGS,):
        resource_tags = {f"aws:ResourceTag/{key}": value for key, value in visible_tags}
        if ownership is Ownership.NEW:
            # The only goal is to create a resource with the tags of another stack or project.
            for new_tags in (OTHER_STACK_TAGS, OTHER_PROJECT_TAGS):
                yield Attempt(access, {**_request_tags(new_tags), **_region(access)}, new_tags)
        elif access.level is AccessLevel.TAGGING:
            # A service may change tags without sending their keys to IAM. So IAM recommends `Null` beside
            # `ForAllValues`.
            if REMOVES_TAGS.search(access.action):
                # `Environment` is one of the tags that name the resource's stack. `Owner` is an example of the other
                # tags.
                for key in ("Environment", "Owner"):
                    for tag_context in ({"aws:TagKeys": [key]}, NO_TAG_KEYS):
                        context = {**resource_tags, **tag_context, **_region(access)}
                        yield Attempt(access, context, removed_keys=frozenset({key}))
            else:
                for new_tags in CHOSEN_TAGS:
                    for tag_context in (_request_tags(new_tags), NO_TAG_KEYS):
                        yield Attempt(access, {**resource_tags, **tag_context, **_region(access)}, new_tags)
        else:
            for choice in _list_choices(access.action):
                yield Attempt(access, {**resource_tags, **_region(access), **choice})


def _list_visible_tags(current_tags: Tags) -> Iterator[Tags]:
    """Yield the tags that IAM may see. If the keys of two tags differ only in case, IAM may see either tag."""
    by_key: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in sorted(current_tags):
        by_key[item[0].lower()].append(item)
    yield frozenset(items[0] for items in by_key.values())
    if any(len(items) > 1 for items in by_key.values()):
        yield frozenset(items[-1] for items in by_key.values())


def _request_tags(new_tags: Tags) -> dict[str, str | list[str]]:
    values = {f"aws:RequestTag/{key}": value for key, value in new_tags}
    return {"aws:TagKeys": sorted(key for key, _ in new_tags), **values}


def _region(access: Access) -> dict[str, str]:
    return {"aws:RequestedRegion": access.arn.split(":")[3] or REGION} if access.arn != "*" else {}


def _list_choices(action: str) -> Sequence[Context]:
    """Return the values that an attacker can choose for an action's own condition keys."""
    if action.startswith("kms:"):
        uses = [(service, grant) for service in (*sorted(KMS_SERVICES), "ec2") for grant in ("false", "true")]
        return [
            {},
            *({"kms:ViaService": f"{service}.{REGION}.amazonaws.com", GRANT_KEY: grant} for service, grant in uses),
        ]
    if action in EVENT_SOURCE_MAPPING_ACTIONS:
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
