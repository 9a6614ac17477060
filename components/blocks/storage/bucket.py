"""A bucket: private, encrypted, TLS only, with a lifecycle, and logged.

One notification resource and one policy a bucket, because S3 keeps one of each: a second would overwrite the first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import s3

from components.blocks.iam.grant import Grant, grant
from components.blocks.messaging.queue import Queue
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope

EVERYTHING = "EntireBucket"
"""The name under which CloudWatch has the requests to all of a bucket's objects."""
ACCESS_LOG_PREFIX = "logs/s3-access"


@dataclass(frozen=True)
class LifecycleRule:
    """What becomes of objects below a prefix; an empty prefix is the whole bucket."""

    name: str
    prefix: str = ""
    expire_days: int | None = None
    old_version_days: int | None = None
    intelligent_tiering_days: int | None = None
    """Days after which objects move to Intelligent-Tiering; 0 is at once."""


@dataclass(frozen=True)
class CorsRule:
    """Which pages may use the bucket from a browser."""

    origins: Sequence[str]
    methods: Sequence[str] = ("GET", "PUT", "POST")
    exposed_headers: Sequence[str] = ()
    """Headers of answers that a page may read: `ETag`, where it uploads in parts."""


@dataclass(frozen=True)
class QueueNotification:
    """Tell a queue of every object created below a prefix, however it was uploaded."""

    queue: Queue
    prefix: str


@dataclass(frozen=True)
class BucketArgs:
    """One bucket."""

    scope: Scope
    logical_name: str
    lifecycle: Sequence[LifecycleRule] = ()
    versioned: bool = False
    accelerated: bool = False
    """Whether it can be reached through the nearest edge location too, for money."""
    requests_measured: bool = False
    """Whether CloudWatch has its requests and their latency: sixteen metrics, each paid for."""
    cors: CorsRule | None = None
    notify: Sequence[QueueNotification] = ()
    event_bridge: bool = False
    access_logged: bool = True
    """Off for the audit bucket alone, which would log itself without end."""
    statements: Sequence[dict[str, object]] = field(default_factory=tuple)
    """More statements of its policy, each with its source account."""


class Bucket(Block):
    """A bucket with all that makes it safe, and what may be granted on it."""

    def __init__(self, short_name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Bucket", short_name, args.scope, opts)
        scope = args.scope
        self.name = bucket_name(scope, short_name)
        self.arn = scope.context.bucket_arn(self.name)
        bucket = s3.Bucket(
            self.part_name("bucket"),
            bucket=self.name,
            force_destroy=not scope.foundation.data.deletion_protection,
            tags=scope.tags(args.logical_name),
            opts=self.part_options(holds_data=True),
        )
        self.bucket = bucket
        self._make_private(bucket, args)
        self._set_lifecycle(bucket, args)
        if args.versioned:
            s3.BucketVersioning(
                self.part_name("versioning"),
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=self.part_options(),
            )
        if args.accelerated:
            s3.BucketAccelerateConfiguration(
                self.part_name("acceleration"), bucket=bucket.bucket, status="Enabled", opts=self.part_options()
            )
        if args.requests_measured:
            s3.BucketMetric(self.part_name("requests"), bucket=bucket.bucket, name=EVERYTHING, opts=self.part_options())
        if args.cors is not None:
            rule: s3.BucketCorsConfigurationCorsRuleArgsDict = {
                "allowed_origins": list(args.cors.origins),
                "allowed_methods": list(args.cors.methods),
                "allowed_headers": ["*"],
                "max_age_seconds": 3600,
            }
            if args.cors.exposed_headers:
                rule["expose_headers"] = list(args.cors.exposed_headers)
            s3.BucketCorsConfiguration(
                self.part_name("cors"), bucket=bucket.bucket, cors_rules=[rule], opts=self.part_options()
            )
        if args.access_logged:
            s3.BucketLogging(
                self.part_name("logging"),
                bucket=bucket.bucket,
                target_bucket=scope.access_log_bucket,
                target_prefix=f"{ACCESS_LOG_PREFIX}/{self.name}/",
                opts=self.part_options(),
            )
        if args.notify or args.event_bridge:
            s3.BucketNotification(
                self.part_name("notification"),
                bucket=bucket.bucket,
                eventbridge=args.event_bridge,
                queues=[
                    {
                        "queue_arn": to.queue.arn,
                        "events": ["s3:ObjectCreated:*"],
                        "filter_prefix": to.prefix,
                        "filter_suffix": "",
                    }
                    for to in args.notify
                ],
                opts=self.part_options(*(to.queue.policy for to in args.notify)),
            )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant(self, *actions: str, prefix: str = "*") -> Grant:
        """What a role may do with objects below a prefix: `grant("GetObject", prefix="incoming/*")`."""
        return grant("s3", actions, f"{self.arn}/{prefix}")

    def grant_list(self, prefix: str | None = None) -> Grant:
        """Permission to list keys below a prefix; without one, also to be told that a key is not there.

        Reading a missing key names no prefix, so a condition on it would fail, and S3 would answer 403 instead of 404.
        """
        return grant("s3", ["ListBucket"], self.arn, {"StringLike": {"s3:prefix": prefix}} if prefix else None)

    def grant_list_versions(self, prefix: str) -> Grant:
        """Permission to list keys and their versions below a prefix."""
        return grant("s3", ["ListBucketVersions"], self.arn, {"StringLike": {"s3:prefix": prefix}})

    def grant_list_uploads(self) -> Grant:
        """Permission to list uploads in parts that are not complete; of a prefix alone it cannot be given."""
        return grant("s3", ["ListBucketMultipartUploads"], self.arn)

    def _make_private(self, bucket: s3.Bucket, args: BucketArgs) -> None:
        block = s3.BucketPublicAccessBlock(
            self.part_name("public-access-block"),
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.part_options(),
        )
        s3.BucketOwnershipControls(
            self.part_name("ownership"),
            bucket=bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self.part_options(),
        )
        s3.BucketServerSideEncryptionConfiguration(
            self.part_name("encryption"),
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=self.part_options(),
        )
        only_tls: dict[str, object] = {
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [self.arn, f"{self.arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        self.policy = s3.BucketPolicy(
            self.part_name("policy"),
            bucket=bucket.bucket,
            policy=json.dumps({"Version": "2012-10-17", "Statement": [only_tls, *args.statements]}),
            opts=self.part_options(block),
        )

    def _set_lifecycle(self, bucket: s3.Bucket, args: BucketArgs) -> None:
        abort: s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": "abort-multipart-uploads",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
        }
        s3.BucketLifecycleConfiguration(
            self.part_name("lifecycle"),
            bucket=bucket.bucket,
            rules=[abort, *map(_rule, args.lifecycle)],
            opts=self.part_options(),
        )


def bucket_name(scope: Scope, short_name: str) -> str:
    """The name of one of this scope's buckets, for those that must know it before it exists."""
    return scope.name(Kind.BUCKET, short_name)


def _rule(one: LifecycleRule) -> s3.BucketLifecycleConfigurationRuleArgsDict:
    rule: s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": one.name,
        "status": "Enabled",
        "filter": {"prefix": one.prefix},
    }
    if one.expire_days is not None:
        rule["expiration"] = {"days": one.expire_days}
    if one.old_version_days is not None:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": one.old_version_days}
    if one.intelligent_tiering_days is not None:
        rule["transitions"] = [{"days": one.intelligent_tiering_days, "storage_class": "INTELLIGENT_TIERING"}]
    return rule
