"""S3 bucket: private, encrypted, TLS only, with lifecycle rules and access logs.

A bucket can have only one notification configuration and one policy. A second one would overwrite the first, so only
this block creates them, from its arguments.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pulumi
from pulumi_aws import s3

from components.blocks.iam import Grant, grant, json_document, refuse_without_tls
from components.blocks.queue import Queue
from components.core import Block, Kind, Scope

ACCESS_LOG_PREFIX = "logs/s3-access"
"""Prefix of all access logs in the bucket that receives the access logs of all other buckets
(`components/foundation.py`)."""
ABORT_UPLOADS: s3.BucketLifecycleConfigurationRuleArgsDict = {
    "id": "abort-multipart-uploads",
    "status": "Enabled",
    "filter": {"prefix": ""},
    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
}
"""Rule of every bucket. S3 bills the parts of an incomplete upload until they are removed."""


def lifecycle_rule(
    name: str,
    prefix: str = "",
    expire_days: int | None = None,
    old_version_days: int | None = None,
    intelligent_tiering_days: int | None = None,
) -> s3.BucketLifecycleConfigurationRuleArgsDict:
    """Return the lifecycle of the objects below a prefix; an empty prefix is the whole bucket.

    - `expire_days` are the days after which objects expire; None keeps them.
    - `old_version_days` are the days after which S3 removes a version that was overwritten, deleted or expired; None
      keeps it.
    - `intelligent_tiering_days` are the days after which objects move to Intelligent-Tiering; 0 moves them at once, None
      never.
    """
    rule: s3.BucketLifecycleConfigurationRuleArgsDict = {"id": name, "status": "Enabled", "filter": {"prefix": prefix}}
    if expire_days is not None:
        rule["expiration"] = {"days": expire_days}
    if old_version_days is not None:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": old_version_days}
    if intelligent_tiering_days is not None:
        rule["transitions"] = [{"days": intelligent_tiering_days, "storage_class": "INTELLIGENT_TIERING"}]
    return rule


def cors_rule(
    origins: Sequence[str], methods: Sequence[str] = ("GET", "PUT", "POST"), exposed_headers: Sequence[str] = ()
) -> s3.BucketCorsConfigurationCorsRuleArgsDict:
    """Return the rule that lets pages of some origins use a bucket from a browser. `exposed_headers` are the response
    headers that a page may read, such as `ETag` for multipart uploads.
    """
    rule: s3.BucketCorsConfigurationCorsRuleArgsDict = {
        "allowed_origins": list(origins),
        "allowed_methods": list(methods),
        "allowed_headers": ["*"],
        "max_age_seconds": 3600,
    }
    if exposed_headers:
        rule["expose_headers"] = list(exposed_headers)
    return rule


class QueueNotification(NamedTuple):
    """Notification to a queue for every object that is created below a prefix."""

    queue: Queue
    prefix: str


class Bucket(Block):
    """Bucket with all its protection settings, and the grants on it."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        lifecycle: Sequence[s3.BucketLifecycleConfigurationRuleArgsDict] = (),
        versioned: bool = False,
        accelerated: bool = False,
        cors: s3.BucketCorsConfigurationCorsRuleArgsDict | None = None,
        notify: QueueNotification | None = None,
        event_bridge: bool = False,
        access_logged: bool = True,
        upload_prefix: str | None = None,
        statements: Sequence[dict[str, object]] = (),
    ) -> None:
        """Create the bucket.

        - `accelerated` enables transfer acceleration through the nearest edge location, which costs extra.
        - `event_bridge` sends the events of all objects to EventBridge.
        - `access_logged` is False for the bucket that receives the access logs, because it would log its own log
          deliveries endlessly.
        - Below `upload_prefix`, users upload objects. Uploads that name a KMS key are denied there, because no role of
          the program may use such a key, so nothing could read the object.
        - `statements` are further statements of the bucket policy.
        """
        super().__init__("Bucket", scope, short_name, display_name)
        self.name = scope.name(Kind.BUCKET, short_name)
        self.arn = scope.context.bucket_arn(self.name)
        options = self.scope.options
        self.bucket = s3.Bucket(
            self.part_name("bucket"),
            bucket=self.name,
            force_destroy=not scope.foundation.data.deletion_protection,
            tags=self.tags,
            opts=options(holds_data=True),
        )
        bucket = self.bucket.bucket  # its name as an output, so that Pulumi creates the parts after the bucket
        self._make_private(bucket, [*statements, *([self._refuse_kms_keys(upload_prefix)] if upload_prefix else [])])
        s3.BucketLifecycleConfiguration(
            self.part_name("lifecycle"), bucket=bucket, rules=[ABORT_UPLOADS, *lifecycle], opts=options()
        )
        if versioned:
            s3.BucketVersioning(
                self.part_name("versioning"),
                bucket=bucket,
                versioning_configuration={"status": "Enabled"},
                opts=options(),
            )
        if accelerated:
            s3.BucketAccelerateConfiguration(
                self.part_name("acceleration"), bucket=bucket, status="Enabled", opts=options()
            )
        if cors is not None:
            s3.BucketCorsConfiguration(self.part_name("cors"), bucket=bucket, cors_rules=[cors], opts=options())
        if access_logged:
            s3.BucketLogging(
                self.part_name("logging"),
                bucket=bucket,
                target_bucket=scope.access_log_bucket,
                target_prefix=f"{ACCESS_LOG_PREFIX}/{self.name}/",
                opts=options(),
            )
        if notify or event_bridge:
            s3.BucketNotification(
                self.part_name("notification"),
                bucket=bucket,
                eventbridge=event_bridge,
                queues=[
                    {
                        "queue_arn": notify.queue.arn,
                        "events": ["s3:ObjectCreated:*"],
                        "filter_prefix": notify.prefix,
                        "filter_suffix": "",
                    }
                ]
                if notify
                else [],
                opts=options(after=[notify.queue.policy] if notify else []),
            )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant(self, *actions: str, keys: str = "*", variable: str | None = None) -> Grant:
        """Grant actions on the objects whose key matches a pattern: `grant("GetObject", keys="incoming/*")`. `variable` is
        the field of the handler's environment model that gets the bucket's name.
        """
        return grant("s3", actions, f"{self.arn}/{keys}").with_variable(variable, self.name)

    def grant_list(self, keys: str | None = None) -> Grant:
        """Grant listing the keys that match a pattern (`incoming/*`), or all keys.

        S3 answers a request for a missing object with 404 if the caller may list all keys, else with 403. A pattern
        does not suffice, because a request for an object sends no prefix, so the grant's condition does not hold.
        """
        return grant("s3", ["ListBucket"], self.arn, {"StringLike": {"s3:prefix": keys}} if keys else None)

    def grant_list_versions(self, keys: str) -> Grant:
        """Grant listing the keys that match a pattern, with their versions."""
        return grant("s3", ["ListBucketVersions"], self.arn, {"StringLike": {"s3:prefix": keys}})

    def grant_list_uploads(self) -> Grant:
        """Grant listing incomplete multipart uploads. IAM cannot limit this permission to a prefix."""
        return grant("s3", ["ListBucketMultipartUploads"], self.arn)

    def _make_private(self, bucket: pulumi.Output[str], statements: Sequence[dict[str, object]]) -> None:
        """Block public access, encrypt the objects, and create the bucket policy, which always requires TLS."""
        options = self.scope.options
        no_public_access = s3.BucketPublicAccessBlock(
            self.part_name("public-access-block"),
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=options(),
        )
        s3.BucketServerSideEncryptionConfiguration(
            self.part_name("encryption"),
            bucket=bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=options(),
        )
        only_tls = refuse_without_tls("s3:*", [self.arn, f"{self.arn}/*"])
        self.policy = s3.BucketPolicy(
            self.part_name("policy"),
            bucket=bucket,
            policy=json_document([only_tls, *statements]),
            opts=options(after=[no_public_access]),
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
