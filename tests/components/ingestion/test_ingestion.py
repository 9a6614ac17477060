"""Tests of ingestion's resources: settings that reach them, keys and network, and what Glue and Athena need.

The builder collects arriving files into manifests, which are lists of files for one Spark run. The sweeper flushes files
that waited for too long: it creates a manifest that is not full. Readers find the Parquet files of a run through its
pointers, which are lists of files.
"""

import base64
import json
from typing import Any

import pytest

from components.ingestion.cost import monthly_usage
from tests.components.deployment_harness import variables
from tests.components.deployments import INGESTION
from tests.fake_engine import Recorded
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import PROJECTED, Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness

KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
PAGE = "https://app.example.com"
deployed = INGESTION.deployed

CHANGES: dict[str, Any] = {
    "manifests": {"flushMinutes": 0, "sweepMinutes": 1},
    "intake": {"maxFileGigabytes": 4, "corsOrigin": PAGE},
    "environmentKeyArn": KEY,
    "networkAttached": True,
    "spark": {
        "encryptionKeyArn": KEY,
        "concurrentRuns": 7,
        "timeoutMinutes": 9,
        "workers": 4,
        "workerType": "G.2X",
        "executionClass": "FLEX",
        "columns": {
            "N": "bigint",
            "tags": "array<struct<At:date>>",
            "Odd one": "int",
            "geo": "struct<int:int,map:map<string,decimal(3,1)>>",
        },
    },
}


def changed_deployment() -> Recorded:
    return deployed(**CHANGES)


def test_the_limits_of_manifests_reach_builder_and_sweeper() -> None:
    for recorded, at_once, seconds, gigabytes in (
        (deployed(), "false", "3600", 5),
        (changed_deployment(), "true", "0", 4),
    ):
        builder, sweeper = variables(recorded, "manifest-builder"), variables(recorded, "sweeper")
        assert (builder["FLUSH_AT_ONCE"], sweeper["FLUSH_SECONDS"]) == (at_once, seconds)
        for creator in (builder, sweeper):
            assert (creator["FILES_PER_MANIFEST"], creator["MANIFEST_BYTES"]) == ("200", str(10 * 1024**3))
        assert builder["MAX_FILE_BYTES"] == str(gigabytes * 1024**3)


def test_every_function_gets_the_name_of_the_file_table() -> None:
    table = deployed().one("dynamodb.Table").inputs["name"]
    for function in ("manifest-builder", "steps", "sweeper"):
        assert variables(deployed(), function)["MANIFEST_TABLE_NAME"] == table


def test_a_message_that_fails_becomes_a_dead_letter_that_is_kept_for_14_days() -> None:
    failures = IngestionHarness(Cloud(NOW)).builder().handle([{"messageId": "bad", "body": "not json"}])
    assert failures == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    source = deployed().one("lambda.EventSourceMapping").inputs
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"], "Lambda ignores the failures otherwise"
    assert source["maximumBatchingWindowInSeconds"] == INGESTION.settings().intake.batch_window_seconds
    intake, dead_letters = (deployed().one("sqs.Queue", f"intake-{name}").inputs for name in ("queue", "dlq-queue"))
    redrive = json.loads(intake["redrivePolicy"])
    assert redrive["deadLetterTargetArn"].rpartition(":")[2] == dead_letters["name"]
    assert redrive["maxReceiveCount"] == 5
    assert dead_letters["messageRetentionSeconds"] == 14 * 86_400


def test_the_index_of_open_items_projects_the_attributes_that_the_handlers_read() -> None:
    (index,) = deployed().one("dynamodb.Table").inputs["globalSecondaryIndexes"]
    keys = {"date_prefix", "file_key", *(key["attributeName"] for key in index["keySchemas"])}
    assert keys | set(index["nonKeyAttributes"]) == PROJECTED


def test_the_settings_determine_the_size_the_concurrent_runs_and_the_columns_of_the_job() -> None:
    job = changed_deployment().one("glue.Job").inputs
    assert (job["workerType"], job["numberOfWorkers"], job["executionClass"], job["timeout"]) == ("G.2X", 4, "FLEX", 9)
    assert job["executionProperty"] == {"maxConcurrentRuns": 7}
    columns = job["defaultArguments"]["--schema_ddl"]
    assert columns.startswith("`N` bigint, `tags` array<")
    assert ", `Odd one` int, " in columns


@pytest.mark.parametrize("key", [None, KEY])
def test_glue_logs_to_groups_of_the_program_also_with_a_key(key: str | None) -> None:
    """With a key, Glue appends the names of the security configuration and of the role to the prefix that it is given."""
    recorded = changed_deployment() if key else deployed()
    resources = (recorded.one("glue.SecurityConfiguration"), recorded.one("iam.Role", "spark"))
    security, role = (resource.inputs["name"] for resource in resources)
    arguments = recorded.one("glue.Job").inputs["defaultArguments"]
    prefix = arguments["--custom-logGroup-prefix"] + (f"/{security}-role/{role}" if key else "")
    groups = {group.inputs["name"]: group.inputs for group in recorded.all("cloudwatch.LogGroup")}
    keys = {name: group.get("kmsKeyId") for name, group in groups.items() if name.startswith("/aws-glue/")}
    assert keys == {f"{prefix}/error": key, f"{prefix}/output": key}
    grants = "".join(str(policy.inputs["policy"]) for policy in recorded.all("iam.RolePolicy"))
    assert f"log-group:{arguments['--custom-logGroup-prefix']}/*:*" in grants
    assert "glue:GetSecurityConfiguration" in grants, "Glue reads it with the role of the job"
    assert ("logs:AssociateKmsKey" in grants) is bool(key), "without it, Glue cannot encrypt its logs, and writes none"


def test_output_is_always_encrypted_and_logs_only_if_a_key_is_configured() -> None:
    configuration = deployed().one("glue.SecurityConfiguration").inputs
    assert deployed().one("glue.Job").inputs.get("securityConfiguration") == configuration["name"]
    without_key, with_key = (
        recorded.one("glue.SecurityConfiguration").inputs["encryptionConfiguration"]
        for recorded in (deployed(), changed_deployment())
    )
    assert without_key["s3Encryption"] == with_key["s3Encryption"] == {"s3EncryptionMode": "SSE-S3"}
    assert without_key["cloudwatchEncryption"] == {"cloudwatchEncryptionMode": "DISABLED"}
    assert with_key["cloudwatchEncryption"] == {"cloudwatchEncryptionMode": "SSE-KMS", "kmsKeyArn": KEY}
    assert with_key["jobBookmarksEncryption"] == {"jobBookmarksEncryptionMode": "CSE-KMS", "kmsKeyArn": KEY}


def test_a_key_encrypts_the_environment_of_every_function() -> None:
    for recorded, key in ((deployed(), None), (changed_deployment(), KEY)):
        assert {function.inputs.get("kmsKeyArn") for function in recorded.all("lambda.Function")} == {key}


def test_builder_and_job_are_in_a_network_only_if_the_settings_attach_them() -> None:
    assert deployed().all("ec2.Vpc") == []
    attached = changed_deployment()
    assert [function.name for function in attached.all("lambda.Function") if function.inputs.get("vpcConfig")] == [
        "ingestion-manifest-builder-function"
    ]
    assert attached.one("glue.Job").inputs["connections"] == [attached.one("glue.Connection").inputs["name"]]
    endpoints = {
        endpoint.inputs["serviceName"].rpartition(".")[2]: endpoint.inputs["vpcEndpointType"]
        for endpoint in attached.all("ec2.VpcEndpoint")
    }
    interfaces = ("glue", "kms", "logs", "monitoring", "sqs", "states")
    assert endpoints == {"dynamodb": "Gateway", "s3": "Gateway"} | dict.fromkeys(interfaces, "Interface")


def test_the_event_of_a_failed_run_goes_to_the_queue_whose_alarm_notifies_operators() -> None:
    pattern = json.loads(deployed().one("cloudwatch.EventRule", "spark-failed").inputs["eventPattern"])
    detail = {"jobName": [deployed().one("glue.Job").inputs["name"]], "state": ["FAILED", "TIMEOUT", "STOPPED"]}
    assert pattern == {"source": ["aws.glue"], "detail-type": ["Glue Job State Change"], "detail": detail}
    target = deployed().one("cloudwatch.EventTarget", "spark-failed").inputs["arn"].rpartition(":")[2]
    alarm = deployed().one("cloudwatch.MetricAlarm", "failed-events").inputs
    assert alarm["dimensions"] == {"QueueName": target}
    assert alarm["alarmActions"]


def test_script_and_library_of_a_run_have_one_folder() -> None:
    job = deployed().one("glue.Job").inputs
    uris = (job["command"]["scriptLocation"], job["defaultArguments"]["--extra-py-files"])
    bucket = deployed().one("s3.Bucket", "lake").inputs["bucket"]
    uploads = deployed().all("s3.BucketObjectv2")
    assert {f"s3://{bucket}/{upload.inputs['key']}" for upload in uploads} == set(uris)
    assert len({uri.rpartition("/")[0] for uri in uris}) == 1
    earlier = {ancestor.name for ancestor in deployed().ancestors(deployed().one("glue.Job"))}
    assert {upload.name for upload in uploads} <= earlier, "a run may start as soon as the job exists"


def test_only_a_web_page_of_the_configured_origin_may_upload_files() -> None:
    assert deployed().all("s3.BucketCorsConfiguration") == []
    [rule] = changed_deployment().one("s3.BucketCorsConfiguration", "landing").inputs["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == ([PAGE], ["PUT"])
    assert rule["exposeHeaders"] == ["x-amz-version-id"], "the version id is part of a file's key in the table"


def test_files_are_versioned_and_parquet_uses_intelligent_tiering() -> None:
    assert deployed().one("s3.BucketVersioning").name == "ingestion-landing-versioning"
    rules = {rule["id"]: rule for rule in deployed().one("s3.BucketLifecycleConfiguration", "lake").inputs["rules"]}
    assert rules["tier-data"]["transitions"] == [{"days": 0, "storageClass": "INTELLIGENT_TIERING"}]


def test_the_lake_keeps_rows_for_ever_rejected_lines_for_a_year_and_manifests_for_90_days() -> None:
    rules = deployed().one("s3.BucketLifecycleConfiguration", "lake").inputs["rules"]
    days = {rule["filter"].get("prefix"): rule["expiration"]["days"] for rule in rules if "expiration" in rule}
    expected = {"data/": None, "pointers/": None, "rejected/": 365, "manifests/": 90, "queries/": 7}
    assert {folder: days.get(folder) for folder in expected} == expected


def test_queries_are_stopped_at_the_scan_limit_and_their_results_are_encrypted() -> None:
    group = deployed(scanLimitGigabytes=2).one("athena.Workgroup").inputs["configuration"]
    assert (group["enforceWorkgroupConfiguration"], group["bytesScannedCutoffPerQuery"]) == (True, 2 * 1024**3)
    assert group["resultConfiguration"]["encryptionConfiguration"] == {"encryptionOption": "SSE_S3"}


def test_alarms_count_late_files_and_manifests_that_cannot_be_recorded_or_ended() -> None:
    """A sweep logs the age of the oldest file, and how many manifests it failed to end."""
    recorded = changed_deployment()
    unsettled = recorded.one("cloudwatch.MetricAlarm", "unsettled").inputs
    assert unsettled["period"] == 3 * 60, "three sweeps, a minute apart"
    filters = {
        item.inputs["metricTransformation"]["name"]: item.inputs for item in recorded.all("cloudwatch.LogMetricFilter")
    }
    values = {name: (filters[name]["pattern"], filters[name]["metricTransformation"]["value"]) for name in filters}
    assert values == {
        "oldest-pending": ('{ $.message = "sweep" }', "$.oldest_pending_seconds"),
        "unsettled": ('{ $.message = "sweep" }', "$.failed"),
        "manifest-record": ('{ $.message = "manifest_record_failed" }', "1"),
    }


def test_the_catalogue_has_the_columns_of_the_schema_and_those_that_the_job_adds() -> None:
    tables = {table.inputs["name"]: table.inputs for table in changed_deployment().all("glue.CatalogTable")}
    columns = {
        name: {column["name"]: column["type"] for column in table["storageDescriptor"]["columns"]}
        for name, table in tables.items()
    }
    assert list(columns["rows"].items())[:2] == [("n", "bigint"), ("tags", "array<struct<at:date>>")]
    assert list(columns["rows"])[4] == "_source_key"
    assert list(columns["newest"]) == [*columns["rows"], "dt"]
    encoded = tables["newest"]["viewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    types = {column["name"]: column["type"] for column in json.loads(base64.b64decode(encoded))["columns"]}
    assert types["geo"] == 'row("int" integer,"map" map(varchar,decimal(3,1)))', "the view has the types of Athena"


def test_the_sweeper_runs_every_few_minutes() -> None:
    for recorded, expression in ((deployed(), "rate(5 minutes)"), (changed_deployment(), "rate(1 minute)")):
        schedule = recorded.one("scheduler.Schedule").inputs
        assert (schedule["scheduleExpression"], schedule["target"]["input"]) == (expression, '{"kind": "sweep"}')


LOAD: dict[str, float] = {"filesPerDay": 800_000, "peakFilesPerHour": 100_000}
"""A hundred times the default load."""


def test_the_monthly_cost_follows_from_the_load_and_the_settings() -> None:
    """A change of a formula, an assumption or a price changes an amount."""
    assert INGESTION.monthly_cost(LOAD) == 14_803.76
    assert INGESTION.monthly_cost({"filesPerDay": 1, "peakFilesPerHour": 1}) == 1.24
    spark = {"executionClass": "FLEX", "workerType": "G.4X"}
    assert INGESTION.monthly_cost({**LOAD, "fileMegabytes": 102.4}, spark=spark) == 252_259.91


def test_usage_follows_from_the_load() -> None:
    """Every day, 8,000 files of 3.5 MB arrive. They are stored for 30 days, and as replaced versions for 7 more days."""
    usage = monthly_usage(INGESTION.settings())
    assert usage["ingestion-spark"]["runs"] == 8_000 * 30 / 200, "a run processes 200 files"
    assert usage["ingestion-spark"]["minutes"] == 4
    assert usage["ingestion-landing"]["storageGb"] == pytest.approx(8_000 * 3.5 / 1024 * (30 + 7))
