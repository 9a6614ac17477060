"""S3 bucket: private, encrypted, TLS only, with lifecycle rules and access logs.

A bucket can have only one notification configuration and one policy. A second one would overwrite the first, so only
this block creates them, from its arguments.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import s3

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.messaging.queue import Queue
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

ACCESS_LOG_PREFIX = "logs/s3-access"
"""Prefix of all access logs in the bucket that receives the access logs of all other buckets
(`components/foundation/access_log_bucket.py`)."""


@dataclass(frozen=True)
class LifecycleRule:
    """Lifecycle of the objects below a prefix; an empty prefix is the whole bucket."""

    name: str
    prefix: str = ""
    expire_days: int | None = None
    """Days after which objects expire; None keeps them."""
    old_version_days: int | None = None
    """Days after which S3 removes a version that was overwritten, deleted or expired; None keeps it."""
    intelligent_tiering_days: int | None = None
    """Days after which objects move to Intelligent-Tiering; 0 moves them at once, None never."""


@dataclass(frozen=True)
class CorsRule:
    """Origins whose pages may use the bucket from a browser."""

    origins: Sequence[str]
    methods: Sequence[str] = ("GET", "PUT", "POST")
    exposed_headers: Sequence[str] = ()
    """Response headers that a page may read, such as `ETag` for multipart uploads."""


@dataclass(frozen=True)
class QueueNotification:
    """Notification to a queue for every object that is created below a prefix."""

    queue: Queue
    prefix: str


@dataclass(frozen=True)
class BucketArgs:
    scope: Scope
    display_name: str
    lifecycle: Sequence[LifecycleRule] = ()
    versioned: bool = False
    accelerated: bool = False
    """True to enable transfer acceleration through the nearest edge location, which costs extra."""
    cors: CorsRule | None = None
    notify: Sequence[QueueNotification] = ()
    event_bridge: bool = False
    """True to send the events of all objects to EventBridge."""
    access_logged: bool = True
    """False for the bucket that receives the access logs, because it would log its own log deliveries endlessly."""
    upload_prefix: str | None = None
    """Prefix below which users upload objects, or None. Uploads that name a KMS key are denied there, because no role
    of the program may use such a key, so nothing could read the object."""
    statements: Sequence[dict[str, object]] = field(default_factory=tuple)
    """Further statements of the bucket policy."""


class Bucket(Block):
    """Bucket with all its protection settings, and the grants on it."""

    def __init__(self, short_name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Bucket", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.BUCKET, short_name)
        self.arn = scope.context.bucket_arn(self.name)
        bucket = s3.Bucket(
            self.part_name("bucket"),
            bucket=self.name,
            force_destroy=not scope.foundation.data.deletion_protection,
            tags=scope.tags(args.display_name),
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
                        "queue_arn": notification.queue.arn,
                        "events": ["s3:ObjectCreated:*"],
                        "filter_prefix": notification.prefix,
                        "filter_suffix": "",
                    }
                    for notification in args.notify
                ],
                opts=self.part_options(*(notification.queue.policy for notification in args.notify)),
            )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant(self, *actions: str, prefix: str = "*") -> Grant:
        """Grant actions on the objects whose key matches a pattern: `grant("GetObject", prefix="incoming/*")`."""
        return grant("s3", actions, f"{self.arn}/{prefix}")

    def grant_list(self, prefix: str | None = None) -> Grant:
        """Grant listing the keys that match a pattern (`incoming/*`), or all keys.

        S3 answers a request for a missing object with 404 if the caller may list all keys, else with 403. A pattern
        does not suffice, because a request for an object sends no prefix, so the grant's condition does not hold.
        """
        return grant("s3", ["ListBucket"], self.arn, {"StringLike": {"s3:prefix": prefix}} if prefix else None)

    def grant_list_versions(self, prefix: str) -> Grant:
        """Grant listing the keys that match a pattern, with their versions."""
        return grant("s3", ["ListBucketVersions"], self.arn, {"StringLike": {"s3:prefix": prefix}})

    def grant_list_uploads(self) -> Grant:
        """Grant listing incomplete multipart uploads. IAM cannot limit this permission to a prefix."""
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
        statements = [only_tls, *args.statements]
        if args.upload_prefix is not None:
            statements.append(self._refuse_kms_keys(args.upload_prefix))
        self.policy = s3.BucketPolicy(
            self.part_name("policy"),
            bucket=bucket.bucket,
            policy=json.dumps({"Version": "2012-10-17", "Statement": statements}),
            opts=self.part_options(block),
        )

    def _refuse_kms_keys(self, prefix: str) -> dict[str, object]:
        """Return the statement that denies every request that writes an object and names a KMS key for it.

        A request that names no key is allowed. Its object has the bucket's default encryption. If the request asks for
        SSE-KMS, the object is encrypted with the key `aws/s3` of this account, with which every reader of the account
        can read it. The parts of a multipart upload name no key. They get the encryption that the request
        `CreateMultipartUpload` named.
        https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
        """
        return {
            "Sid": "NoNamedKmsKey",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:PutObject", "s3:ReplicateObject", "s3:UpdateObjectEncryption"],
            "Resource": f"{self.arn}/{prefix}*",
            "Condition": {"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}},
        }

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
            rules=[abort, *map(_lifecycle_rule, args.lifecycle)],
            opts=self.part_options(),
        )


def _lifecycle_rule(rule_spec: LifecycleRule) -> s3.BucketLifecycleConfigurationRuleArgsDict:
    rule: s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": rule_spec.name,
        "status": "Enabled",
        "filter": {"prefix": rule_spec.prefix},
    }
    if rule_spec.expire_days is not None:
        rule["expiration"] = {"days": rule_spec.expire_days}
    if rule_spec.old_version_days is not None:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": rule_spec.old_version_days}
    if rule_spec.intelligent_tiering_days is not None:
        rule["transitions"] = [{"days": rule_spec.intelligent_tiering_days, "storage_class": "INTELLIGENT_TIERING"}]
    return rule
