"""Audit bucket: the bucket `audit-logs`, which receives the S3 access logs of all other buckets.

Access to the audit bucket is not logged, because each delivery of a log would cause another log.
"""

import pulumi

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import ACCESS_LOG_PREFIX, Bucket, BucketArgs, LifecycleRule

AUDIT_BUCKET = "audit-logs"
"""Short name of the audit bucket. `Foundation` computes the full name from it before the bucket exists."""


class AuditBucket(pulumi.ComponentResource):
    """Audit bucket, with the access logs of each other bucket below the prefix `logs/s3-access/<bucket>/`.

    The logs expire after the days in the setting `foundation.logs.retentionDays`.
    """

    def __init__(self, scope: Scope, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:AuditLogs", f"{scope.subsystem}-audit", None, opts)
        name = scope.name(Kind.BUCKET, AUDIT_BUCKET)
        self.bucket = Bucket(
            AUDIT_BUCKET,
            BucketArgs(
                scope=scope,
                display_name="AuditLogs",
                access_logged=False,
                lifecycle=[
                    LifecycleRule("expire-access-logs", ACCESS_LOG_PREFIX, scope.foundation.logs.retention_days),
                ],
                statements=[
                    {
                        "Sid": "AccessLogsOfThisAccount",
                        "Effect": "Allow",
                        "Principal": {"Service": "logging.s3.amazonaws.com"},
                        "Action": "s3:PutObject",
                        "Resource": f"{scope.context.bucket_arn(name)}/{ACCESS_LOG_PREFIX}/*",
                        "Condition": {"StringEquals": {"aws:SourceAccount": scope.context.account}},
                    }
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"bucket": self.bucket.name})
