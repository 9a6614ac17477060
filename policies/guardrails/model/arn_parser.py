"""Parser of ARNs, which finds the resource's name and wildcards in them."""

import re
from typing import Final, NamedTuple

SERVICES_WITHOUT_RESOURCE_TYPE = frozenset({"codecommit", "execute-api", "sns", "sqs"})
"""Services whose ARNs have the resource's name in the place where the ARNs of other services have a resource type. The
ARNs of S3 buckets have no type either. They are recognised by their missing region, because other ARNs of S3 have a
type.
"""
SEGMENTS_BEFORE_NAME = {"autoScalingGroup": 2, "global": 1, "loadbalancer": 1, "regional": 1}
"""Number of segments between the first segment and the name, by the first segment. For example, the ARN of a web ACL
ends in `regional/webacl/<name>/<id>`. A first segment that is not listed is the resource type, and the name follows it.
"""
SERVICES_WITH_PATHS: Final = frozenset({"ecr", "iam", "logs", "ssm"})
"""Services whose resource names may contain slashes, so that a wildcard after a slash is still a part of the name."""
WILDCARD: Final = re.compile(r"[*?]|\$\{")
"""A wildcard of a pattern, or the beginning of a policy variable, whose value a request decides."""
GENERATED_SUFFIX: Final = "-??????"
"""Suffix that Secrets Manager appends to a secret's name: a hyphen and six random characters."""


class Arn(NamedTuple):
    """The parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(arn: str) -> Arn | None:
    """Return the parts of an ARN, or None if the text has fewer parts, like `*`."""
    parts = arn.split(":", 5)
    return Arn(*parts[1:]) if len(parts) == 6 and parts[0] == "arn" else None


def contains_account(arn: str) -> bool:
    """Return True if an ARN contains an account id. The ARN of a bucket does not."""
    parts = parse_arn(arn)
    return parts is not None and parts.account.isdigit()


def list_name_segments(arn: Arn) -> list[str]:
    """Split the resource part at `:` and `/`, and return its segments from the resource's name on."""
    segments = [segment for segment in arn.resource.replace(":", "/").split("/") if segment]
    if _starts_with_type(arn) and len(segments) > 1:
        first, *segments = segments
        segments = segments[min(SEGMENTS_BEFORE_NAME.get(first, 0), len(segments) - 1) :]
    return segments


def get_name(arn: Arn) -> str:
    """Return the resource's name, with slashes if the service's names may have some, and without the generated suffix
    of a secret.
    """
    if arn.service in SERVICES_WITH_PATHS:
        return re.split("[:/]", arn.resource, maxsplit=1)[-1].partition(":")[0]
    if arn.service == "secretsmanager":
        return arn.resource.rpartition(":")[2].removesuffix(GENERATED_SUFFIX)
    return next(iter(list_name_segments(arn)), "")


def _starts_with_type(arn: Arn) -> bool:
    is_bucket = arn.service == "s3" and not arn.region
    return arn.service not in SERVICES_WITHOUT_RESOURCE_TYPE and not is_bucket


def has_name(arn: str) -> bool:
    """Return True if an ARN contains at least a part of the resource's name, and not only resource types and
    wildcards.
    """
    parts = parse_arn(arn)
    return parts is not None and any(letter.isalnum() for letter in "".join(list_name_segments(parts)[:1]))


def is_exact(arn: str) -> bool:
    """Return True if an ARN names one resource. Wildcards are allowed only in the region, and after the resource's
    name.
    """
    parts = parse_arn(arn)
    if parts is None or _has_wildcard_owner(parts):
        return False
    name = get_name(parts)
    return bool(name) and WILDCARD.search(_get_type(parts) + name) is None


def reaches_beyond_prefix(arn: str, prefix: str) -> bool:
    """Return True if an ARN has wildcards that match resources whose names do not start with the prefix.

    A name with slashes may have the prefix after a slash, for example `/aws/lambda/polyphony-prod-*`. Names of some
    services have underscores instead of hyphens. Wildcards in the region are ignored, because they match only resources
    of the same name.
    """
    parts = parse_arn(arn)
    if parts is None:
        return WILDCARD.search(arn) is not None
    if _has_wildcard_owner(parts):
        return True
    name = get_name(parts)
    head = WILDCARD.split(name, maxsplit=1)[0].replace("_", "-")
    if WILDCARD.search(_get_type(parts)):
        return True
    return WILDCARD.search(name) is not None and re.search(rf"(^|/){re.escape(prefix)}", head) is None


def _has_wildcard_owner(arn: Arn) -> bool:
    """Return True if the partition, service or account contains a wildcard."""
    return any(WILDCARD.search(part) for part in (arn.partition, arn.service, arn.account))


def _get_type(arn: Arn) -> str:
    """Return what precedes the resource's name in the resource part, usually the resource type."""
    return arn.resource[: arn.resource.find(get_name(arn))]
