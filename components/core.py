"""Basis of every resource: context of the deployment, names, tags, scope of a subsystem, and the base class of blocks.

The components of the subsystems and the blocks use it. Names are deterministic, so the ARNs that contain them are known at preview, and the guardrail policies (`policies/`) can
check the ARNs there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, Self, TypeVar

import pulumi
import pulumi_aws as aws
from pulumi_aws import cloudwatch

from components.settings import Environment, FoundationSettings, LogLevel, StackSettings
from components.settings.base import SubsystemSettings

NAME_PART = r"[a-z0-9]+(-[a-z0-9]+)*"
"""Pattern of the parts of a name, which are joined with hyphens."""
TAG_VALUE = r"[A-Za-z0-9 _.:/=+@-]{0,256}"
"""Pattern of the tag values that every AWS service accepts ("Tag naming limits and requirements" in AWS'
documentation). Some services accept more."""
CHECKED_BY_TAG = "CallersCheckedBy"
"""Tag of an API whose gateway does not authenticate callers. Its value names the check that authenticates them
instead."""
SubsystemSettingsT = TypeVar("SubsystemSettingsT", bound=SubsystemSettings)


class Kind(StrEnum):
    """Kind of named resource."""

    ALARM = "alarm"
    ANOMALY_MONITOR = "anomaly monitor"
    BACKUP_PLAN = "backup plan"
    BACKUP_SELECTION = "backup selection"
    BACKUP_VAULT = "backup vault"
    BATCH_JOB = "job definition"
    BATCH_QUEUE = "job queue"
    BUCKET = "bucket"
    BUDGET = "budget"
    DASHBOARD = "dashboard"
    EVENT_ARCHIVE = "event archive"
    EVENT_RULE = "event rule"
    COMPUTE_ENVIRONMENT = "compute environment"
    FUNCTION = "function"
    GLUE_JOB = "Glue job"
    IDENTITY_POOL = "identity pool"
    IMAGE_REPOSITORY = "image repository"
    LAYER = "layer"
    MEMORY = "memory store"
    PARAMETER = "parameter"
    QUEUE = "queue"
    REST_API = "REST API"
    ROLE = "role"
    SECURITY_GROUP = "security group"
    SECURITY_CONFIGURATION = "security configuration"
    SCHEDULE = "schedule"
    STATE_MACHINE = "state machine"
    TABLE = "table"
    TOPIC = "topic"
    WEBSOCKET_API = "WebSocket API"
    WORKGROUP = "workgroup"


SHORT_NAMES = {
    **dict.fromkeys((Kind.EVENT_ARCHIVE, Kind.MEMORY), 48),
    **dict.fromkeys((Kind.BACKUP_PLAN, Kind.BACKUP_SELECTION, Kind.BACKUP_VAULT), 50),
    Kind.BUCKET: 63,
    **dict.fromkeys((Kind.EVENT_RULE, Kind.FUNCTION, Kind.LAYER, Kind.ROLE, Kind.SCHEDULE), 64),
    **dict.fromkeys((Kind.QUEUE, Kind.STATE_MACHINE), 80),
}
"""Maximum length of a name, from the services' API references, for the kinds with a limit below 100 characters."""
OTHER_NAMES = 100
"""Maximum length of a name of any other kind. For compute environments and security groups, AWS allows at least 128
characters. The provider appends a hyphen and 26 characters to these names, so that a replacement can exist before the old
resource is deleted."""


class Subsystem(StrEnum):
    """Subsystem that a resource belongs to: its value is the tag `Subsystem` and a part of every name."""

    FOUNDATION = "foundation"
    INGESTION = "ingestion"
    LIVESTREAM = "livestream"
    MEETINGS = "meetings"
    TRANSCRIPTION = "transcription"
    VOICE_QA = "voice-qa"

    @property
    def package(self) -> str:
        """Name of the subsystem's folder in `handlers/`."""
        return self.value.replace("-", "_")


class InvalidName(ValueError):
    """The given parts cannot form a valid, unique name or tag."""


def physical_name(kind: Kind, *parts: str) -> str:
    """Join the parts of a name with hyphens: `physical_name(Kind.TABLE, "polyphony", "dev", "ingestion", "files")`."""
    for part in parts:
        if not re.fullmatch(NAME_PART, part):
            raise InvalidName(f"{part!r} cannot be part of a {kind}'s name. Use a-z, 0-9 and single hyphens")
    return _check_length(kind, "-".join(parts))


def _check_length(kind: Kind, name: str) -> str:
    max_length = SHORT_NAMES.get(kind, OTHER_NAMES)
    if len(name) > max_length:
        raise InvalidName(
            f"the {kind}'s name {name} has {len(name)} characters, but at most {max_length} are allowed. Choose a shorter "
            "name for the stack or the resource"
        )
    return name


@dataclass
class Context:
    """Project, stack, owner, and AWS account, region and partition of one deployment.

    The program reads it once at start and passes it down.
    """

    project: str
    stack: str
    environment: Environment
    account: str
    region: str
    partition: str
    owner: str
    cost_center: str
    _reserved_names: dict[tuple[Kind, str], tuple[Subsystem, str]] = field(default_factory=dict)
    """Names given out so far: kind and name → subsystem and short name of the resource that has the name. A resource may
    request its name again. A second resource of the same name is refused."""

    @staticmethod
    def read(settings: StackSettings) -> "Context":
        """Build the context from the settings, the account that AWS returns, and the region of the AWS provider."""
        caller = aws.get_caller_identity()
        return Context(
            project=pulumi.get_project(),
            stack=pulumi.get_stack(),
            environment=settings.environment,
            account=caller.account_id,
            region=aws.get_region().region,
            partition=caller.arn.split(":")[1],
            owner=settings.foundation.owner,
            cost_center=settings.foundation.cost_center,
        )

    @property
    def stack_label(self) -> str:
        """Prefix of all names of this stack: `<project>-<stack>`."""
        return f"{self.project}-{self.stack}"

    def name(self, kind: Kind, subsystem: Subsystem, short_name: str) -> str:
        """Return the physical name of a resource, which is its name on AWS: `polyphony-<stack>-<subsystem>-<short name>`.

        A bucket's name also contains the account id, because bucket names are global.
        """
        account = [self.account] if kind is Kind.BUCKET else []
        name = physical_name(kind, self.project, self.stack, subsystem, short_name, *account)
        return self._reserve_name(kind, name, subsystem, short_name)

    def underscored_name(self, kind: Kind, subsystem: Subsystem, word: str) -> str:
        """Return the physical name of a resource whose service accepts no hyphens: `polyphony_<stack>_<word>`.

        The name omits the subsystem to stay short. Unlike a short name, `word` may contain capital letters.
        """
        name = _check_length(kind, f"{self.stack_label}-{word}".replace("-", "_"))
        return self._reserve_name(kind, name, subsystem, word)

    def _reserve_name(self, kind: Kind, name: str, subsystem: Subsystem, short_name: str) -> str:
        first_use = self._reserved_names.setdefault((kind, name), (subsystem, short_name))
        if first_use != (subsystem, short_name):
            raise InvalidName(
                f"two {kind}s would have the name {name}: {'/'.join(first_use)} and {subsystem}/{short_name}. "
                "Rename one of them"
            )
        return name

    def names(self, kind: Kind, subsystem: Subsystem | None = None) -> list[str]:
        """Return the names of a kind that were given out so far, in alphabetical order. With `subsystem`, return only
        the names of its resources.
        """
        return sorted(
            name
            for (kind_of_name, name), (owner, _) in self._reserved_names.items()
            if kind_of_name is kind and subsystem in {None, owner}
        )

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource that has an account but no region, such as an IAM role."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"

    def bucket_arn(self, bucket: str) -> str:
        """Return the ARN of a bucket, which contains neither region nor account."""
        return f"arn:{self.partition}:s3:::{bucket}"

    def tags(self, subsystem: Subsystem, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return all tags of a resource, plus the extra tags in `more` that have a value.

        Blocks set every tag explicitly on every resource; the provider's default tags are only a fallback.
        """
        tags = {
            "Project": self.project,
            "Environment": self.environment.value,
            "Subsystem": subsystem.value,
            "Owner": self.owner,
            "CostCenter": self.cost_center,
            "Name": name,
            **{key: value for key, value in (more or {}).items() if value is not None},
        }
        for key, value in tags.items():
            if not re.fullmatch(TAG_VALUE, value):
                raise InvalidName(
                    f"{value!r} cannot be the value of tag {key}. AWS allows at most 256 letters, digits, spaces and "
                    "_ . : / = + - @"
                )
        return tags


@dataclass
class Scope:
    """Names, tags, settings and shared resources that all blocks of one subsystem use, and the parent of the blocks.

    Everything except `layers` is known at preview.
    """

    context: Context
    subsystem: Subsystem
    foundation: FoundationSettings
    """Settings that apply to all subsystems."""
    log_level: LogLevel
    critical_topic: str
    """ARN of the topic that alarms of severity CRITICAL publish to."""
    warning_topic: str
    """ARN of the topic that alarms of severity WARNING publish to, and alerts about cost."""
    access_log_bucket: str
    """Name of the bucket that receives the access logs of all other buckets."""
    layers: Sequence[pulumi.Input[str]]
    """ARNs of the layers that every function has."""
    prerequisites: Sequence[pulumi.Resource]
    """Resources that must exist before any resource of this subsystem. The subsystem's resources refer to them by name
    only, so Pulumi does not see the dependency."""
    parent: pulumi.Resource | None = None
    """Component whose children the resources become."""

    def within(self, parent: pulumi.Resource) -> Self:
        """Return the scope for the children of a component."""
        return replace(self, parent=parent)

    def name(self, kind: Kind, short_name: str) -> str:
        """Return the physical name of a resource of this subsystem."""
        return self.context.name(kind, self.subsystem, short_name)

    def tags(self, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return all tags of a resource of this subsystem, plus the extra tags in `more`.

        `name` becomes the tag `Name`. Pass the display name (the name in the requirements), or the physical name of a
        resource that has no display name, such as an alarm.
        """
        return self.context.tags(self.subsystem, name, more)

    def options(
        self, *, after: Sequence[pulumi.Resource] = (), ignore: Sequence[str] = (), holds_data: bool = False
    ) -> pulumi.ResourceOptions:
        """Return the options of a resource, which becomes a child of the parent.

        Pulumi creates it after the subsystem's prerequisites and after the resources in `after`, and ignores changes of
        the properties in `ignore`. If the stack protects data, Pulumi refuses to delete or replace a resource that
        `holds_data`.
        """
        return pulumi.ResourceOptions(
            parent=self.parent,
            depends_on=[*self.prerequisites, *after],
            ignore_changes=list(ignore) or None,
            protect=holds_data and self.foundation.data.deletion_protection,
        )


@dataclass(frozen=True)
class SubsystemArgs(Generic[SubsystemSettingsT]):
    """Arguments of the component of a subsystem."""

    scope: Scope
    settings: SubsystemSettingsT


class Block(pulumi.ComponentResource):
    """Base class of all blocks: components that create one kind of resource with everything that makes it safe to run.

    The resources that a block creates are its parts. A block has up to three names:

    - `short_name` identifies the block within its subsystem (`audio-processor`). Most names on AWS contain it.
    - `label` is the block's Pulumi name, `<subsystem>-<short name>`. The Pulumi name of a part is `<label>-<part>`.
    - `display_name` is the name in the requirements (docs/requirements.md), for example `ManifestTable`. The tag `Name`,
      descriptions and alarms show it.
    """

    def __init__(self, class_name: str, scope: Scope, short_name: str, display_name: str) -> None:
        self.short_name = short_name
        self.display_name = display_name
        self.label = f"{scope.subsystem}-{short_name}"
        super().__init__(
            f"polyphony:blocks:{class_name}", self.label, None, pulumi.ResourceOptions(parent=scope.parent)
        )
        self.scope = scope.within(self)

    @property
    def description(self) -> str:
        """Description of the block's main resource on AWS."""
        return f"{self.display_name} of Polyphony's {self.scope.subsystem}"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the block's parts that have no further tags of their own."""
        return self.scope.tags(self.display_name)

    def part_name(self, part: str) -> str:
        """Return the Pulumi name of a part."""
        return f"{self.label}-{part}"

    def create_log_group(self, part: str, name: pulumi.Input[str]) -> cloudwatch.LogGroup:
        """Create a log group with the stack's retention as a part of this block."""
        return cloudwatch.LogGroup(
            self.part_name(part),
            name=name,
            retention_in_days=self.scope.foundation.logs.retention_days,
            tags=self.tags,
            opts=self.scope.options(),
        )
