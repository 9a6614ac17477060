"""Component of the Spark job on Glue, with its script, role, security configuration, log groups and network connection.

The events of failed runs go to a queue with an alarm.

Glue creates a missing log group itself, without the stack's retention. So this component creates the groups in advance,
under the names that Glue uses. With a customer key (setting `spark.encryptionKeyArn`), these names contain the names of
the security configuration and of the role (Glue developer guide, "Security configuration with Amazon CloudWatch
logging").
"""

import hashlib
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, glue, s3

from components.blocks.compute import handler_archive
from components.blocks.iam.grant import Grant, grant, grant_metrics
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.foundation.network import Network
from components.ingestion.lake import DATA, MANIFESTS, POINTERS, REJECTED, SCRIPTS, Lake
from components.settings.ingestion import SparkSettings

SCRIPT = "handlers/ingestion/glue/job.py"
ROLE = "spark"
"""Short name of the job's role."""
TARGET_FILE_MB = "128"
"""Target size of a Parquet file."""
LOG_GROUPS = ("continuous", "error", "output")
"""Last parts of the log groups' names. The argument `--continuous-log-logGroup` names the first group; Glue appends the
other two to `--custom-logGroup-prefix`."""


@dataclass(frozen=True)
class SparkJobArgs:
    scope: Scope
    settings: SparkSettings
    lake: Lake
    landing: Bucket
    incoming: str
    """Prefix of the files in the landing bucket."""
    network: Network | None = None
    """Network that the job is attached to, or None."""


class SparkJob(pulumi.ComponentResource):
    """Glue job that converts the files of one manifest to Parquet."""

    def __init__(self, name: str, args: SparkJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:ingestion:SparkJob", name, None, opts)
        scope, settings = args.scope, args.settings
        self._scope = scope
        self._child = pulumi.ResourceOptions(parent=self)
        self.name = scope.name(Kind.GLUE_JOB, "spark")
        self.arn = scope.context.arn("glue", f"job/{self.name}")
        self._security_name = scope.name(Kind.SECURITY_CONFIGURATION, "spark")
        self._custom_log_prefix = f"/aws-glue/{self.name}"
        """Prefix of the log groups' names, as the job's arguments pass it to Glue."""
        self._log_group_prefix = self._custom_log_prefix
        """Actual prefix of the log groups' names. With a customer key, Glue appends the names of the security
        configuration and of the role to the prefix that the job's arguments pass."""
        if settings.encryption_key_arn:
            self._log_group_prefix += f"/{self._security_name}-role/{scope.name(Kind.ROLE, ROLE)}"
        log_groups = [
            cloudwatch.LogGroup(
                f"ingestion-spark-{group}-logs",
                name=f"{self._log_group_prefix}/{group}",
                retention_in_days=scope.foundation.logs.retention_days,
                kms_key_id=settings.encryption_key_arn,
                tags=scope.tags("SparkLogs"),
                opts=self._child,
            )
            for group in LOG_GROUPS
        ]
        role = Role(
            "ingestion-spark", RoleArgs(scope, ROLE, "SparkRole", Service.GLUE, self._grants(args)), self._child
        )
        script, library = self._upload_code(args)
        security = self._create_security_configuration(settings.encryption_key_arn)
        glue.Job(
            "ingestion-spark-job",
            name=self.name,
            description="Converts one manifest of NDJSON files to Parquet",
            role_arn=role.arn,
            glue_version=settings.glue_version,
            worker_type=settings.worker_type.value,
            number_of_workers=settings.workers,
            execution_class=settings.execution_class.value,
            timeout=settings.timeout_minutes,
            max_retries=0,  # the workflow retries, depending on the error
            execution_property={"max_concurrent_runs": settings.concurrent_runs},
            security_configuration=security.name,
            connections=[self._create_connection(args.network).name] if args.network else None,
            command={"name": "glueetl", "python_version": "3", "script_location": script},
            default_arguments=self._arguments(args, library),
            tags=scope.tags("SparkJob"),
            opts=pulumi.ResourceOptions.merge(
                self._child, pulumi.ResourceOptions(depends_on=[*role.parts, *log_groups, *self._objects])
            ),
        )
        # Without `target`, the events go to a queue whose alarm notifies the operators.
        EventRule(
            "spark-failed",
            EventRuleArgs(
                scope=scope,
                display_name="SparkFailed",
                pattern={
                    "source": ["aws.glue"],
                    "detail-type": ["Glue Job State Change"],
                    "detail": {"jobName": [self.name], "state": ["FAILED", "TIMEOUT", "STOPPED"]},
                },
            ),
            self._child,
        )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant_run(self) -> Grant:
        """Return the permission to run the job and wait for its end."""
        return grant("glue", ["BatchStopJobRun", "GetJobRun", "GetJobRuns", "StartJobRun"], self.arn)

    def _arguments(self, args: SparkJobArgs, library: str) -> dict[str, pulumi.Input[str]]:
        settings = args.settings
        return {
            "--lake_uri": f"{args.lake.uri}/",
            **({"--schema_ddl": settings.schema_ddl} if settings.schema_ddl else {}),
            "--max_rejected_share": f"{settings.max_rejected_share:g}",
            "--target_file_mb": TARGET_FILE_MB,
            "--extra-py-files": library,
            "--job-language": "python",
            "--job-bookmark-option": "job-bookmark-disable",
            "--enable-metrics": "true",
            "--enable-continuous-cloudwatch-log": "true",
            # Glue uses the first name as it is. To the second, it appends the names of the security configuration and
            # of the role if there is a customer key.
            "--continuous-log-logGroup": f"{self._log_group_prefix}/continuous",
            "--custom-logGroup-prefix": self._custom_log_prefix,
        }

    def _upload_code(self, args: SparkJobArgs) -> tuple[str, str]:
        """Upload script and library to the lake and return their URIs.

        Both keys contain the hash of the library, and the library contains the script. So a run never combines script
        and library of different deployments.
        """
        library = str(args.scope.package.path)
        content = (handler_archive.ROOT / library).read_bytes()
        prefix = f"{SCRIPTS}/{hashlib.sha256(content).hexdigest()[:16]}"
        bucket = args.lake.bucket
        self._objects = [
            s3.BucketObjectv2(
                f"ingestion-spark-{part}",
                bucket=bucket.bucket.bucket,
                key=f"{prefix}/{file}",
                source=pulumi.FileAsset(path),
                opts=self._child,
            )
            for part, file, path in (
                ("script", "job.py", SCRIPT),
                ("library", "handlers.zip", library),
            )
        ]
        return f"{args.lake.uri}/{prefix}/job.py", f"{args.lake.uri}/{prefix}/handlers.zip"

    def _create_connection(self, network: Network) -> glue.Connection:
        return glue.Connection(
            "ingestion-spark-connection",
            name=self.name,
            connection_type="NETWORK",
            connection_properties={},
            physical_connection_requirements={
                "availability_zone": network.zone,
                "subnet_id": network.subnet_ids[0],
                "security_group_id_lists": [network.glue.id],
            },
            tags=self._scope.tags("SparkConnection"),
            opts=self._child,
        )

    def _create_security_configuration(self, key: str | None) -> glue.SecurityConfiguration:
        """Create the security configuration. Logs and bookmarks are encrypted only if there is a customer key."""
        logs: glue.SecurityConfigurationEncryptionConfigurationCloudwatchEncryptionArgsDict
        bookmarks: glue.SecurityConfigurationEncryptionConfigurationJobBookmarksEncryptionArgsDict
        logs, bookmarks = {"cloudwatch_encryption_mode": "DISABLED"}, {"job_bookmarks_encryption_mode": "DISABLED"}
        if key:
            logs = {"cloudwatch_encryption_mode": "SSE-KMS", "kms_key_arn": key}
            bookmarks = {"job_bookmarks_encryption_mode": "CSE-KMS", "kms_key_arn": key}
        return glue.SecurityConfiguration(
            "ingestion-spark-security",
            name=self._security_name,
            encryption_configuration={
                "s3_encryption": {"s3_encryption_mode": "SSE-S3"},
                "cloudwatch_encryption": logs,
                "job_bookmarks_encryption": bookmarks,
            },
            opts=self._child,
        )

    def _grants(self, args: SparkJobArgs) -> list[Grant]:
        context, lake, key = args.scope.context, args.lake.bucket, args.settings.encryption_key_arn
        log_groups = [context.arn("logs", f"log-group:{self._log_group_prefix}/{group}:*") for group in LOG_GROUPS]
        grants = [
            args.landing.grant("GetObjectVersion", prefix=f"{args.incoming}*"),
            # Spark writes objects under temporary keys and then moves them: it copies and deletes. The committers of
            # S3A use multipart uploads: a task begins one, and the driver completes it, or aborts it if the task
            # failed.
            lake.grant(
                *("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"),
                prefix=f"{DATA}/*",
            ),
            grant("s3", ["ListBucketMultipartUploads"], lake.arn),
            # A write with the condition `If-Match` also needs GetObject. See "How to prevent object overwrites with
            # conditional writes" in the S3 User Guide.
            lake.grant("GetObject", "PutObject", prefix=f"{POINTERS}/*"),
            lake.grant("PutObject", "DeleteObject", prefix=f"{REJECTED}/*"),
            lake.grant("GetObject", "PutObject", prefix=f"{MANIFESTS}/*"),
            lake.grant("GetObject", prefix=f"{SCRIPTS}/*"),
            # If S3 refuses a file, the job compares the file's encryption with that of the bucket.
            grant("s3", ["GetEncryptionConfiguration"], args.landing.arn),
            # Without ListBucket, S3 answers a request for a deleted key or version with 403 instead of 404.
            grant("s3", ["ListBucket"], [args.landing.arn, lake.arn]),
            # Glue calls CreateLogGroup also for groups that exist.
            grant("logs", ["CreateLogGroup", "CreateLogStream", "PutLogEvents"], log_groups),
            grant_metrics("Glue"),
        ]
        if args.network:
            connection = context.arn("glue", f"connection/{self.name}")
            grants += [
                grant("ec2", ["DescribeVpcAttribute"], args.network.vpc_arn),
                grant("glue", ["GetConnection"], [context.arn("glue", "catalog"), connection]),
                grant("ec2", ["CreateNetworkInterface", "DeleteNetworkInterface"], context.arn("ec2", "*/*")),
                grant(
                    "ec2",
                    ["CreateTags"],
                    context.arn("ec2", "network-interface/*"),
                    {
                        "ForAllValues:StringEquals": {"aws:TagKeys": "aws-glue-service-resource"},
                        # ForAllValues is also true if the request has no tag keys, so the key must exist.
                        "Null": {"aws:TagKeys": "false"},
                    },
                ),
                grant(
                    "ec2",
                    [
                        "DescribeNetworkInterfaces",
                        "DescribeRouteTables",
                        "DescribeSecurityGroups",
                        "DescribeSubnets",
                        "DescribeVpcEndpoints",
                    ],
                    "*",
                ),
            ]
        if key:
            grants += [
                grant("kms", ["Decrypt", "Encrypt", "GenerateDataKey"], key),
                # Without AssociateKmsKey, Glue cannot encrypt its logs, and writes none.
                grant("logs", ["AssociateKmsKey"], log_groups),
            ]
        return grants
