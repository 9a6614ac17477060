"""The Spark job on Glue, with its script, role, security configuration, log groups and network connection.

The workflow (`workflow.py`) starts a run for each manifest, which is the list of the run's files. The events of failed
runs go to the queue for failed events, which has an alarm.

Glue creates a missing log group itself, without the stack's retention. So this block creates the groups in advance,
under the names that Glue uses. If the security configuration encrypts logs, which needs a customer key (setting
`spark.encryptionKeyArn`), these names contain the names of the security configuration and of the role. See "Security
configuration with Amazon CloudWatch logging" in
https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
"""

import hashlib
from collections.abc import Mapping

import pulumi
from pulumi_aws import cloudwatch, glue, s3

from components import handler_archive
from components.blocks.bucket import Bucket
from components.blocks.events import EventRule
from components.blocks.iam import Grant, Role, Service, grant, grant_metrics
from components.blocks.network import PrivateNetwork
from components.blocks.queue import DeadLetterQueue
from components.core import Block, Context, Kind, Scope
from components.ingestion.lake import DATA, MANIFESTS, POINTERS, REJECTED, SCRIPTS
from components.settings.ingestion import SparkSettings

SCRIPT = "handlers/ingestion/glue/job.py"
TARGET_FILE_MB = "128"
"""Target size of a Parquet file."""
LOG_GROUPS = ("error", "output")
"""Last parts of the log groups' names, which Glue appends to `--custom-logGroup-prefix`. Glue 5 writes the logs of Spark
and of the script's logger to the first group, and the script's standard output to the second. It has no group for
continuous logs."""


class SparkJob(Block):
    """Glue job that converts the files of one manifest to Parquet."""

    def __init__(
        self,
        scope: Scope,
        *,
        settings: SparkSettings,
        lake: Bucket,
        landing: Bucket,
        incoming: str,
        network: PrivateNetwork | None,
        failed_events: DeadLetterQueue,
    ) -> None:
        """Create the job. It reads the files below the prefix `incoming` of the landing bucket."""
        super().__init__("SparkJob", scope, "spark", "SparkJob")
        options, key = self.scope.options, settings.encryption_key_arn
        self.name = scope.name(Kind.GLUE_JOB, "spark")
        self.arn = scope.context.arn("glue", f"job/{self.name}")
        security_name = scope.name(Kind.SECURITY_CONFIGURATION, "spark")
        custom_log_prefix = f"/aws-glue/{self.name}"
        # Glue appends this to the prefix that the job's arguments pass.
        key_suffix = f"/{security_name}-role/{scope.name(Kind.ROLE, 'spark')}" if key else ""
        log_groups = [
            cloudwatch.LogGroup(
                self.part_name(f"{group}-logs"),
                name=f"{custom_log_prefix}{key_suffix}/{group}",
                retention_in_days=scope.foundation.logs.retention_days,
                kms_key_id=key,
                tags=scope.tags("SparkLogs"),
                opts=options(),
            )
            for group in LOG_GROUPS
        ]
        role = Role(
            self.scope,
            "spark",
            display_name="SparkRole",
            trust=Service.GLUE,
            grants=[
                *_data_grants(lake, landing, incoming),
                *_log_grants(scope.context.arn("logs", f"log-group:{custom_log_prefix}/*:*"), key),
                # Glue reads the job's security configuration with the job's role. IAM cannot limit this to one configuration.
                grant("glue", ["GetSecurityConfiguration"], "*"),
                *(_network_grants(scope.context, network, self.name) if network else []),
            ],
        )
        objects, code_uri = self._upload_code(lake)
        glue.Job(
            self.part_name("job"),
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
            security_configuration=self._create_security_configuration(security_name, key).name,
            connections=[self._create_connection(network).name] if network else None,
            command={"name": "glueetl", "python_version": "3", "script_location": f"{code_uri}/job.py"},
            default_arguments={
                "--lake_uri": f"s3://{lake.name}/",
                **({"--schema_ddl": to_ddl(settings.columns)} if settings.columns else {}),
                "--max_rejected_share": f"{settings.max_rejected_share:g}",
                "--target_file_mb": TARGET_FILE_MB,
                "--extra-py-files": f"{code_uri}/handlers.zip",
                "--job-language": "python",
                "--job-bookmark-option": "job-bookmark-disable",
                "--enable-metrics": "true",
                "--custom-logGroup-prefix": custom_log_prefix,
            },
            tags=self.tags,
            opts=options(after=[*role.role_and_policies, *log_groups, *objects]),
        )
        # Without `target`, the events go to the queue whose alarm notifies the operators.
        EventRule(
            self.scope,
            "spark-failed",
            display_name="SparkFailed",
            pattern={
                "source": ["aws.glue"],
                "detail-type": ["Glue Job State Change"],
                "detail": {"jobName": [self.name], "state": ["FAILED", "TIMEOUT", "STOPPED"]},
            },
            failed_events=failed_events,
        )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def grant_run(self) -> Grant:
        """Return the permission to run the job and wait for its end."""
        return grant("glue", ["BatchStopJobRun", "GetJobRun", "GetJobRuns", "StartJobRun"], self.arn)

    def _upload_code(self, lake: Bucket) -> tuple[list[pulumi.Resource], str]:
        """Upload script (`job.py`) and library (`handlers.zip`) to the lake. Return the objects and their folder's URI.

        The folder's name contains the hash of the library, and the library contains the script. So a run never combines
        script and library of different deployments.
        """
        library = handler_archive.write_archive("handlers.ingestion.glue.job").as_posix()
        content = (handler_archive.ROOT / library).read_bytes()
        prefix = f"{SCRIPTS}/{hashlib.sha256(content).hexdigest()}"
        objects: list[pulumi.Resource] = [
            s3.BucketObjectv2(
                self.part_name(part),
                bucket=lake.bucket.bucket,
                key=f"{prefix}/{file}",
                source=pulumi.FileAsset(path),
                opts=self.scope.options(),
            )
            for part, file, path in (("script", "job.py", SCRIPT), ("library", "handlers.zip", library))
        ]
        return objects, f"s3://{lake.name}/{prefix}"

    def _create_connection(self, network: PrivateNetwork) -> glue.Connection:
        return glue.Connection(
            self.part_name("connection"),
            name=self.name,
            connection_type="NETWORK",
            connection_properties={},
            physical_connection_requirements={
                "availability_zone": network.zone,
                "subnet_id": network.subnet_ids[0],
                "security_group_id_lists": [network.glue.id],
            },
            tags=self.scope.tags("SparkConnection"),
            opts=self.scope.options(),
        )

    def _create_security_configuration(self, name: str, key: str | None) -> glue.SecurityConfiguration:
        """Create the security configuration. Logs and bookmarks are encrypted only if there is a customer key."""
        logs: glue.SecurityConfigurationEncryptionConfigurationCloudwatchEncryptionArgsDict
        bookmarks: glue.SecurityConfigurationEncryptionConfigurationJobBookmarksEncryptionArgsDict
        logs, bookmarks = {"cloudwatch_encryption_mode": "DISABLED"}, {"job_bookmarks_encryption_mode": "DISABLED"}
        if key:
            logs = {"cloudwatch_encryption_mode": "SSE-KMS", "kms_key_arn": key}
            bookmarks = {"job_bookmarks_encryption_mode": "CSE-KMS", "kms_key_arn": key}
        return glue.SecurityConfiguration(
            self.part_name("security"),
            name=name,
            encryption_configuration={
                "s3_encryption": {"s3_encryption_mode": "SSE-S3"},
                "cloudwatch_encryption": logs,
                "job_bookmarks_encryption": bookmarks,
            },
            opts=self.scope.options(),
        )


def _data_grants(lake: Bucket, landing: Bucket, incoming: str) -> list[Grant]:
    """Return the grants on the files, on the output and on the job's code."""
    return [
        landing.grant("GetObjectVersion", keys=f"{incoming}*"),
        # Spark writes objects under temporary keys and then moves them: it copies and deletes. The committers of S3A use
        # multipart uploads: a task begins one, and the driver completes it, or aborts it if the task failed.
        lake.grant(
            *("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"),
            keys=f"{DATA}/*",
        ),
        lake.grant_list_uploads(),
        lake.grant("GetObject", "PutObject", keys=f"{POINTERS}/*"),
        lake.grant("PutObject", "DeleteObject", keys=f"{REJECTED}/*"),
        lake.grant("GetObject", "PutObject", keys=f"{MANIFESTS}/*"),
        lake.grant("GetObject", keys=f"{SCRIPTS}/*"),
        # The job lists its output in the lake. Without ListBucket, S3 also answers a request for a deleted key or version
        # with 403 instead of 404.
        landing.grant_list(),
        lake.grant_list(),
    ]


def _log_grants(log_groups: str, key: str | None) -> list[Grant]:
    """Return the grants for logs and metrics, and for the customer key of the logs. `log_groups` is the ARN pattern of
    all groups below the job's prefix, whose names do not depend on the key.
    """
    grants = [
        # Glue calls CreateLogGroup also for groups that exist.
        grant("logs", ["CreateLogGroup", "CreateLogStream", "PutLogEvents"], log_groups),
        grant_metrics("Glue"),
    ]
    if key:
        grants += [
            grant("kms", ["Decrypt", "Encrypt", "GenerateDataKey"], key),
            # Without AssociateKmsKey, Glue cannot encrypt its logs, and writes none.
            grant("logs", ["AssociateKmsKey"], log_groups),
        ]
    return grants


def _network_grants(context: Context, network: PrivateNetwork, connection: str) -> list[Grant]:
    """Return the grants with which Glue attaches the job to the network."""
    describe = ("NetworkInterfaces", "RouteTables", "SecurityGroups", "Subnets", "VpcEndpoints")
    return [
        grant("ec2", ["DescribeVpcAttribute"], network.vpc_arn),
        grant(
            "glue", ["GetConnection"], [context.arn("glue", "catalog"), context.arn("glue", f"connection/{connection}")]
        ),
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
        grant("ec2", [f"Describe{kind}" for kind in describe], "*"),
    ]


def to_ddl(columns: Mapping[str, str]) -> str:
    """Return the columns as Spark's DDL. Names are quoted, because they may contain spaces or be words of Spark SQL."""
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
