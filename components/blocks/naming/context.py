"""Context of a deployment, from which the names, ARNs and tags of all resources are built.

The program reads the context once at start and passes it down. The names are deterministic, so the ARNs that contain
them are known at preview, and the guardrail policies (`policies/`) can check the ARNs there.
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
"""Pattern of the tag values that every AWS service accepts ("Tag naming limits and requirements" in AWS'
documentation). Some services accept more."""


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


@dataclass(frozen=True)
class Context:
    """Project, stack, owner, and AWS account, region and partition of one deployment."""

    project: str
    stack: str
    environment: Environment
    account: str
    region: str
    partition: str
    owner: str
    cost_center: str
    _reserved_names: dict[tuple[Kind, str], tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)
    """Names given out so far: kind and name → subsystem and short name of the resource that has the name. With them, a
    second resource of the same name is refused."""

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

    def name(self, kind: Kind, subsystem: Subsystem, short_name: str) -> str:
        """Return the physical name of a resource. A bucket's name also contains the account id, because bucket names
        are global.
        """
        parts = [self.project, stack_part(self.stack), subsystem.value, short_name]
        return self._reserve_name(
            kind, physical_name(kind, parts, self.account if kind is Kind.BUCKET else ""), subsystem, short_name
        )

    def underscored_name(self, kind: Kind, subsystem: Subsystem, short_name: str) -> str:
        """Return the physical name of a resource whose service accepts no hyphens. The name omits the subsystem to stay
        short.
        """
        return self._reserve_name(
            kind, underscored_name(kind, [self.project, stack_part(self.stack)], short_name), subsystem, short_name
        )

    def _reserve_name(self, kind: Kind, name: str, subsystem: Subsystem, short_name: str) -> str:
        first_use = self._reserved_names.setdefault((kind, name), (subsystem.value, short_name))
        if first_use != (subsystem.value, short_name):
            raise InvalidName(
                f"two {kind.label}s would have the name {name}: {'/'.join(first_use)} and {subsystem}/{short_name}. Rename one of them"
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

    @property
    def stack_label(self) -> str:
        """Prefix of all names of this stack: `<project>-<stack>`."""
        return f"{self.project}-{stack_part(self.stack)}"

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource that has an account but no region, such as an IAM role."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"

    @property
    def dns_suffix(self) -> str:
        """DNS suffix of this partition's host names."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

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
        }
        tags |= {key: value for key, value in (more or {}).items() if value is not None}
        for key, value in tags.items():
            if not re.fullmatch(TAG_VALUE, value):
                raise InvalidName(
                    f"{value!r} cannot be the value of tag {key}. AWS allows at most 256 letters, digits, spaces and _ . : / = + - @"
                )
        return tags
