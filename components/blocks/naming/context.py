"""Who, where and how: what every name, ARN and tag is made of. Read once at start, then passed down.

Names are deterministic, so that every ARN is known at preview and the policies can judge it there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.blocks.naming.physical_names import InvalidName, Kind, physical_name, stack_part, underscored_name
from components.settings import Environment, StackSettings

TAG_VALUE = r"[A-Za-z0-9 _.:/=+@-]{0,256}"
"""What every service takes; some take more (AWS, "Tag naming limits and requirements")."""


class Subsystem(StrEnum):
    """Which part of the platform a resource belongs to; the tag `Subsystem` and part of every name."""

    FOUNDATION = "foundation"
    INGESTION = "ingestion"
    LIVESTREAM = "livestream"
    MEETINGS = "meetings"
    TRANSCRIPTION = "transcription"
    VOICE_QA = "voice-qa"

    @property
    def package(self) -> str:
        """The folder of its handlers."""
        return self.value.replace("-", "_")


@dataclass(frozen=True)
class Context:
    """Where this stack is deployed and whose it is."""

    project: str
    stack: str
    environment: Environment
    account: str
    region: str
    partition: str
    owner: str
    cost_center: str
    _named: dict[tuple[Kind, str], tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)
    """What each name was given to: two things that would share one are refused."""

    @staticmethod
    def read(settings: StackSettings) -> "Context":
        """Asks AWS, once, who and where we are."""
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

    def name(self, kind: Kind, subsystem: Subsystem, short_name: str) -> str:
        """The physical name of something; buckets carry the account, because their names are everybody's."""
        parts = [self.project, stack_part(self.stack), subsystem.value, short_name]
        return self._given(
            kind, physical_name(kind, parts, self.account if kind is Kind.BUCKET else ""), subsystem, short_name
        )

    def underscored_name(self, kind: Kind, subsystem: Subsystem, short_name: str) -> str:
        """The physical name of something whose service takes no hyphen; it has no subsystem in it, being short."""
        return self._given(
            kind, underscored_name(kind, [self.project, stack_part(self.stack)], short_name), subsystem, short_name
        )

    def _given(self, kind: Kind, name: str, subsystem: Subsystem, short_name: str) -> str:
        holder = self._named.setdefault((kind, name), (subsystem.value, short_name))
        if holder != (subsystem.value, short_name):
            raise InvalidName(
                f"two {kind.label}s would be called {name}: {'/'.join(holder)} and {subsystem}/{short_name}"
            )
        return name

    @property
    def stack_label(self) -> str:
        """Project and stack, as all names of this stack start."""
        return f"{self.project}-{stack_part(self.stack)}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """The ARN of a resource that has an account but no region, as in IAM."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"

    @property
    def dns_suffix(self) -> str:
        """How the names of this partition's hosts end."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def bucket_arn(self, bucket: str) -> str:
        """The ARN of a bucket, which has neither region nor account."""
        return f"arn:{self.partition}:s3:::{bucket}"

    def tags(self, subsystem: Subsystem, name: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Every tag, set explicitly on every resource; the provider's default tags are only a net."""
        tags = {
            "Project": self.project,
            "Environment": self.environment.value,
            "Subsystem": subsystem.value,
            "Owner": self.owner,
            "CostCenter": self.cost_center,
            "Name": name,
        }
        tags |= {key: value for key, value in (more or {}).items() if value is not None}
        for key, value in tags.items():
            if not re.fullmatch(TAG_VALUE, value):
                raise InvalidName(
                    f"{value!r} cannot be the tag {key}: AWS takes letters, digits, spaces and _ . : / = + - @, at most 256"
                )
        return tags
