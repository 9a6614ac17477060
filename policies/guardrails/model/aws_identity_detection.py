"""Search for identities in property values. An identity is a text that shows the owner of a resource, principal or
target. It can be an account id, an ARN, a canonical user id, a unique id of IAM, an organisation, a private endpoint
service, a network, a bucket or a service principal.

Twelve digits are not always an account id: they can be a number of bytes, a time or a build number. So the search also
looks at the key of the value, and at the text around the digits.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from guardrails.model.nested_values import NestedValue

ARN = re.compile(
    r"\barn:(?P<partition>[^:\s\"']*):(?P<service>[^:\s\"']*):[^:\s\"']*:(?P<account>[^:\s\"'/]*)", re.IGNORECASE
)
SHORT_ARN_PATTERN = re.compile(r"arn:[^:\s]*(:[^:\s]*){0,3}", re.IGNORECASE)
"""An ARN pattern that ends before or in its account id. If it contains `*`, it matches resources of every account."""
BUCKET_ARN = re.compile(r"\barn:[^:\s\"']*:s3:::(?P<name>[^/\s\"':,]*)", re.IGNORECASE)
BUCKET_URLS = (
    re.compile(r"\bs3[an]?://(?P<name>[a-z0-9][a-z0-9.-]+)", re.IGNORECASE),
    re.compile(r"\b(?P<name>[a-z0-9][a-z0-9.-]+?)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com", re.IGNORECASE),
    re.compile(r"//s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?/(?P<name>[a-z0-9][a-z0-9.-]+)", re.IGNORECASE),
)
"""URLs with the name of a bucket: s3:// and its variants of Hadoop, virtual-hosted and path-style URLs."""
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
BUCKET_KEY = re.compile(r"bucket[_-]?(name)?s?$", re.IGNORECASE)
"""Endings of keys whose value is the name of a bucket."""

ACCOUNT_KEY = re.compile(
    r"account|principal|owner|catalog_?id|registry|tenant|partner|grantee|^aws$|user_?ids?$", re.IGNORECASE
)
"""Keys whose value names an account. A twelve-digit number below such a key is always an account id."""
NO_ACCOUNT_KEY = re.compile(
    r"bytes|size|limit|max|(?<!ad)min|quota|count|number|second|milli|time|date|stamp|build|version|release|cutoff|threshold"
    r"|budget|phone|description|name$",
    re.IGNORECASE,
)
"""Keys whose value is a quantity, a time, a version, a phone number, a name or prose. Twelve digits below such a key
are no account id, unless the key also matches `ACCOUNT_KEY`. `(?<!ad)min` does not match `admin`.
"""
ACCOUNT_TOKEN = re.compile(r"(?<![\w.+-])(\d{12}|\d{4}-\d{4}-\d{4})(?![\w-]|\.\d)")
"""An account id, also as the AWS console writes it."""
QUOTED_ACCOUNT = re.compile(r"(?:^|[\"'])(\d{12})(?:$|[\"'])")
"""Twelve digits that are a whole text, or a literal in an expression, for example in JSONata."""
ADDRESSES_WITH_ACCOUNT = (
    re.compile(r"(?<![\w-])(\d{12})\.[\w.-]*(?:amazonaws\.com|amazon\.com|(?:api|on)\.aws)"),
    re.compile(r"(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::\d+)?/(\d{12})(?!\w)"),
    re.compile(r"(?<![\w:-])(\d{12}):(?:function|role|root|user)\b"),
)
"""Addresses of an image registry and of a queue, and partial ARNs of functions and identities."""
MINUTE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d")
"""A date and time up to the minute, which also has twelve digits."""
ROUND_NUMBER = 10**6
"""Multiples of this number are quantities, for example 100 GB in bytes."""

UNIQUE_ID = re.compile(r"(?<![A-Za-z0-9])A(?:ROA|IDA|GPA|NPA|IPA)[A-Z0-9]{12,17}(?![A-Za-z0-9])")
"""Unique ids of IAM roles, users, groups, managed policies and instance profiles. They do not show their account:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""
CANONICAL_KEY = re.compile(r"canonical|owner|grant|principal|^id$", re.IGNORECASE)
"""Keys whose value can be a canonical user id."""
CANONICAL_USER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
"""Canonical user id of an account in S3. A SHA-256 hash has the same form, so the key must match `CANONICAL_KEY`."""
ORGANIZATION = re.compile(r"(?<![\w-])o-(?=[a-z]*\d)[a-z0-9]{10,32}(?![\w-])")
"""Id of an organisation below any key. It must contain a digit, because words can have the same form otherwise."""
ORGANIZATION_KEY = re.compile(r"org(anization)?_?(id|path|arn)|organizational_?unit", re.IGNORECASE)
"""Keys whose value names an organisation or a part of one."""
ORGANIZATION_BY_KEY = re.compile(r"(?<![\w/-])(?:o|ou|r)-[\w*?-]+")
"""Id of an organisation, organisational unit or root below an `ORGANIZATION_KEY`, also with wildcards. In a path, only
the first id matches.
"""
ENDPOINT_SERVICE = re.compile(r"\bvpce-svc-[0-9a-f]+", re.IGNORECASE)
"""Endpoint service (PrivateLink) that an account offers to others. AWS's own services have names without an id."""

NETWORK_KEY = re.compile(r"sourcevpce?$", re.IGNORECASE)
"""Condition keys whose value is a network or endpoint."""
NETWORK = re.compile(r"vpce?-[\w*?-]+", re.IGNORECASE)
"""Id of a network or endpoint in a condition. It does not show its account. Ids of this stack's networks are unknown in
a preview, so each known id is treated as foreign.
"""

SERVICE_KEY = re.compile(r"^service$|principal|passedtoservice", re.IGNORECASE)
"""Keys whose value can be a service principal."""
SERVICE_PRINCIPAL = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.[a-z]+)*|[a-z0-9-]+\.amazon\.com", re.IGNORECASE
)


MAY_CONTAIN_IDENTITY = re.compile(
    r"\d{12}|\d{4}-\d{4}-|arn:|vpce?-|\b(?:o|ou|r)-|A(?:ROA|IDA|GPA|NPA|IPA)|[0-9a-f]{64}", re.IGNORECASE
)
"""A text without a match contains no identity. Most texts have none, so this makes the search fast."""
MAY_CONTAIN_BUCKET = re.compile(r"s3", re.IGNORECASE)


class IdentityKind(StrEnum):
    """The kind of thing that an identity names."""

    ACCOUNT = "account"
    ARN_OF_EVERY_ACCOUNT = "ARN of every account"
    UNIQUE_ID = "unique IAM id"
    CANONICAL_USER = "canonical user"
    ORGANIZATION = "organisation"
    ENDPOINT_SERVICE = "endpoint service"
    NETWORK = "network"


@dataclass(frozen=True)
class AwsIdentity:
    """One identity, and the text in which it was found."""

    kind: IdentityKind
    id: str
    text: str
    """The ARN, or the id itself."""


def find_identities(nested: NestedValue) -> Iterator[AwsIdentity]:
    """Yield the identities in a value, except buckets and service principals."""
    if not isinstance(nested.value, str):
        number = f"{nested.value:.0f}"
        if ACCOUNT_KEY.search(nested.key) and len(number) == 12:
            yield AwsIdentity(IdentityKind.ACCOUNT, number, number)
        return
    text = unquote(nested.value)
    if not MAY_CONTAIN_IDENTITY.search(text):
        return
    yield from _find_accounts(nested, text)
    for pattern, kind, is_possible in (
        (UNIQUE_ID, IdentityKind.UNIQUE_ID, True),
        (CANONICAL_USER, IdentityKind.CANONICAL_USER, any(map(CANONICAL_KEY.search, nested.keys))),
        (ORGANIZATION, IdentityKind.ORGANIZATION, True),
        (ORGANIZATION_BY_KEY, IdentityKind.ORGANIZATION, ORGANIZATION_KEY.search(nested.key)),
        (ENDPOINT_SERVICE, IdentityKind.ENDPOINT_SERVICE, True),
        (NETWORK, IdentityKind.NETWORK, NETWORK_KEY.search(nested.key)),
    ):
        for match in pattern.finditer(text) if is_possible else ():
            yield AwsIdentity(kind, match[0], match[0])


def _find_accounts(nested: NestedValue, text: str) -> Iterator[AwsIdentity]:
    """Yield the accounts in a text: in ARNs, in addresses of AWS, and account ids that stand alone."""
    for match in ARN.finditer(text):
        account = match["account"]
        if "*" in account or "?" in account:
            if "Condition" not in nested.keys and not nested.is_denied:
                yield AwsIdentity(IdentityKind.ARN_OF_EVERY_ACCOUNT, match[0], match[0])
        # The ARN of an AWS-managed policy has `aws` instead of an account. The ARN of an API Gateway target has the
        # called service there: `arn:aws:apigateway:us-east-1:lambda:path/…`.
        elif account and account != "aws" and not (match["service"] == "apigateway" and not account.isdigit()):
            yield AwsIdentity(IdentityKind.ACCOUNT, account, match[0])
    if SHORT_ARN_PATTERN.fullmatch(text) and "*" in text and "Condition" not in nested.keys and not nested.is_denied:
        yield AwsIdentity(IdentityKind.ARN_OF_EVERY_ACCOUNT, text, text)
    for pattern in ADDRESSES_WITH_ACCOUNT:
        for match in pattern.finditer(text):
            yield AwsIdentity(IdentityKind.ACCOUNT, match[1], match[0])
    if ACCOUNT_KEY.search(nested.key):
        for match in ACCOUNT_TOKEN.finditer(text):
            yield AwsIdentity(IdentityKind.ACCOUNT, match[0].replace("-", ""), match[0])
    elif not NO_ACCOUNT_KEY.search(nested.key):
        for match in QUOTED_ACCOUNT.finditer(text):
            if not MINUTE.fullmatch(match[1]) and int(match[1]) % ROUND_NUMBER:
                yield AwsIdentity(IdentityKind.ACCOUNT, match[1], match[1])


def find_buckets(nested: NestedValue) -> Iterator[str]:
    """Yield the names of buckets in a value: in ARNs and URLs, and the value itself if its key is that of a bucket."""
    if not isinstance(nested.value, str):
        return
    text = unquote(nested.value)
    if BUCKET_KEY.search(nested.key) and BUCKET_NAME.fullmatch(text):
        yield text
    if not MAY_CONTAIN_BUCKET.search(text):
        return
    # `logging.s3.amazonaws.com` has the form of a bucket's URL. As a principal, it is the service that delivers logs.
    for pattern in (BUCKET_ARN, *(BUCKET_URLS if not SERVICE_KEY.search(nested.key) else ())):
        for match in pattern.finditer(text):
            name = match["name"]
            if name and not ({"*", "?", "$"} & set(name) and (nested.is_denied or "Condition" in nested.keys)):
                yield name


def find_services(nested: NestedValue) -> Iterator[str]:
    """Yield the service principals in a value below a key that names a principal."""
    if not isinstance(nested.value, str) or nested.is_denied or not SERVICE_KEY.search(nested.key):
        return
    # A principal of the kind Service is always a service, also if it contains wildcards.
    if nested.keys[-2:] == ("Principal", "Service") or SERVICE_PRINCIPAL.fullmatch(nested.value):
        yield nested.value
