"""Tests of ingestion's resources: permissions, workflow, retention, encryption, catalogue, schedules.

The builder collects arriving files into manifests, which are lists of up to 200 files for one Spark run. The sweeper
flushes files that waited for too long: it creates a manifest that is not full. Readers find the Parquet files of a run
through its pointers, which are lists of files.
`previewed()` returns the resources with default settings, and `previewed(spark={...})` those with changed settings.
"""

import base64
import json
from typing import Any

import pytest
from statelint.linter import Linter

from components.blocks.workflow.state_definitions import total_pause_seconds
from tests.components.deployment_harness import Permission, may, permissions, roles, variables
from tests.components.ingestion.recorded_deployment import previewed
from tests.handlers.ingestion.fake_cloud import PROJECTED

ACCOUNT = "123456789012"
LAKE = f"arn:aws:s3:::polyphony-test-ingestion-lake-{ACCOUNT}"
LANDING = f"arn:aws:s3:::polyphony-test-ingestion-landing-{ACCOUNT}"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/polyphony-test-ingestion-files"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:polyphony-test-ingestion-workflow"
JOB = f"arn:aws:glue:us-east-1:{ACCOUNT}:job/polyphony-test-ingestion-spark"
EXECUTIONS = MACHINE.replace(":stateMachine:", ":execution:") + ":*"
STEPS = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:polyphony-test-ingestion-steps:live"
BLOCK_SERVICES = ("logs", "xray", "sqs")
"""Services of the grants that the blocks add. The tests of the blocks check them."""
MANIFEST_LISTS = f"{LAKE}/manifests/*"
CREATOR_MAY: set[Permission] = {
    *may("dynamodb", "UpdateItem", TABLE),
    *may("dynamodb", "Query", f"{TABLE}/index/open"),
    *may("s3", "PutObject", MANIFEST_LISTS),
    *may("states", "StartExecution", MACHINE),
}
"""Permissions of the functions that create manifests."""
ROLES: dict[str, set[Permission]] = {
    "manifest-builder": {*CREATOR_MAY, *may("dynamodb", "ConditionCheckItem PutItem", TABLE)},
    "steps": {
        *may("dynamodb", "GetItem UpdateItem", TABLE),
        *may("s3", "GetObject PutObject", MANIFEST_LISTS),
        # Without ListBucket, S3 answers 403 for a missing list.
        *may("s3", "ListBucket", LAKE),
    },
    "sweeper": {
        *CREATOR_MAY,
        *may("dynamodb", "GetItem", TABLE),
        *may("s3", "GetObject", MANIFEST_LISTS),
        *may("s3", "ListBucket", LAKE),
        *may("states", "DescribeExecution", EXECUTIONS),
    },
    "workflow": {
        *may("glue", "BatchStopJobRun GetJobRun GetJobRuns StartJobRun", JOB),
        *may("lambda", "InvokeFunction", STEPS),
    },
    "spark": {
        # Other keys of both buckets cannot be read or written. A run replaces the output of an earlier one.
        *may("s3", "GetObjectVersion", f"{LANDING}/incoming/*"),
        *may("s3", "GetEncryptionConfiguration", LANDING),
        *may("s3", "AbortMultipartUpload DeleteObject GetObject ListMultipartUploadParts PutObject", f"{LAKE}/data/*"),
        *may("s3", "ListBucketMultipartUploads", LAKE),
        *may("s3", "GetObject PutObject", f"{LAKE}/pointers/*"),
        *may("s3", "DeleteObject PutObject", f"{LAKE}/rejected/*"),
        *may("s3", "GetObject PutObject", MANIFEST_LISTS),
        *may("s3", "GetObject", f"{LAKE}/scripts/*"),
        *may("s3", "ListBucket", LAKE, LANDING),
        *may("cloudwatch", "PutMetricData", "*", condition='{"StringEquals": {"cloudwatch:namespace": "Glue"}}'),
    },
    "sweep": may("lambda", "InvokeFunction", STEPS.replace("-steps:", "-sweeper:")),
}


def test_each_role_has_exactly_the_listed_permissions() -> None:
    permissions_by_role = {
        role.removeprefix("polyphony-test-ingestion-"): {
            permission
            for permission in permissions(previewed(), role)
            if permission[0].partition(":")[0] not in BLOCK_SERVICES
        }
        for role in roles(previewed())
    }
    assert permissions_by_role == ROLES


def test_the_functions_get_their_environment_variables() -> None:
    builder = variables(previewed(), "manifest-builder")
    assert (builder["STATE_MACHINE_ARN"], builder["FILES_PER_MANIFEST"]) == (MACHINE, "200")
    assert (builder["MANIFEST_BYTES"], builder["MAX_FILE_BYTES"]) == (str(10 * 1024**3), str(5 * 1024**3))
    sweeper = variables(previewed(), "sweeper")
    assert (sweeper["CLAIM_SECONDS"], sweeper["FLUSH_SECONDS"]) == ("900", "3600")
    assert builder["FLUSH_AT_ONCE"] == "false"


def test_with_zero_flush_minutes_builder_and_sweeper_flush_at_once() -> None:
    recorded = previewed(manifests={"flushMinutes": 0})
    assert variables(recorded, "manifest-builder")["FLUSH_AT_ONCE"] == "true"
    assert variables(recorded, "sweeper")["FLUSH_SECONDS"] == "0"


def test_the_index_of_open_items_projects_the_attributes_that_the_handlers_read() -> None:
    (index,) = previewed().one("dynamodb.Table").inputs["globalSecondaryIndexes"]
    assert [key["attributeName"] for key in index["keySchemas"]] == ["open_shard", "open_since"]
    keys = {"date_prefix", "file_key", "open_shard", "open_since"}
    assert index["projectionType"] == "INCLUDE"
    assert keys | set(index["nonKeyAttributes"]) == PROJECTED


def test_a_run_waits_for_capacity_and_is_retried_once() -> None:
    definition = previewed().one("sfn.StateMachine").inputs["definition"]
    assert Linter.validate(json.loads(definition)) == []
    run = json.loads(definition)["States"]["Run"]
    capacity_retrier, failure_retrier = run["Retry"]
    assert set(capacity_retrier["ErrorEquals"]) > {
        *("Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"),
        "Glue.AWSGlueException",  # the name that Step Functions gives to a throttled start
    }
    assert capacity_retrier["IntervalSeconds"] >= 30, "Glue allows few starts per second, and many runs start together"
    assert (failure_retrier["ErrorEquals"], failure_retrier["MaxAttempts"]) == (["States.TaskFailed"], 1)
    assert [catch["Next"] for catch in run["Catch"]] == ["MarkFailed"]
    assert "errorOutput.Error" in definition
    assert "errorOutput.Cause" not in definition, "the text of an error may quote a file"


def test_the_retries_stay_within_the_limits_of_step_functions() -> None:
    """The limits are those of https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and
    .../service-quotas.html.
    """
    states = json.loads(previewed().one("sfn.StateMachine").inputs["definition"])["States"]
    retriers = [retrier for state in states.values() for retrier in state.get("Retry", [])]
    assert all(retrier["IntervalSeconds"] <= retrier["MaxDelaySeconds"] < 31_622_400 for retrier in retriers)
    # A failed attempt adds three events: scheduled, started, failed. A state adds two: entered, exited.
    attempts = sum(retrier["MaxAttempts"] + 1 for retrier in retriers)
    assert 3 * attempts + 2 * len(states) < 25_000 / 10, "an execution fails when its history has 25,000 events"


@pytest.mark.parametrize("spark", [{}, {"timeoutMinutes": 480}])
def test_a_run_waits_twenty_hours_for_capacity_and_the_workflow_times_out_after_all_retries(
    spark: dict[str, Any],
) -> None:
    definition = json.loads(previewed(spark=spark).one("sfn.StateMachine").inputs["definition"])
    run = definition["States"]["Run"]
    assert total_pause_seconds(run["Retry"][0]) / 2 > 20 * 3600, "full jitter halves the pauses on average"
    max_seconds = 2 * run["TimeoutSeconds"] + sum(total_pause_seconds(retry) for retry in run["Retry"])
    assert max_seconds + 3600 < definition["TimeoutSeconds"], "the last steps need time after the last run"


def test_the_settings_determine_the_size_of_the_job_and_its_concurrent_runs() -> None:
    job = previewed(spark={"workers": 4, "workerType": "G.2X", "executionClass": "FLEX"}).one("glue.Job").inputs
    assert (job["workerType"], job["numberOfWorkers"], job["executionClass"]) == ("G.2X", 4, "FLEX")
    assert job["executionProperty"] == {"maxConcurrentRuns": 10}
    assert (job["glueVersion"], job["timeout"]) == ("5.1", 30)


def test_glue_logs_to_log_groups_of_the_program_which_expire() -> None:
    groups = {group.inputs["name"]: group.inputs["retentionInDays"] for group in previewed().all("cloudwatch.LogGroup")}
    arguments = previewed().one("glue.Job").inputs["defaultArguments"]
    prefix = arguments["--custom-logGroup-prefix"]
    assert {f"{prefix}/error", f"{prefix}/output", arguments["--continuous-log-logGroup"]} <= groups.keys()
    assert set(groups.values()) == {90}


KEY = "arn:aws:kms:us-east-1:123456789012:key/k"


def test_output_is_always_encrypted_and_logs_only_if_a_key_is_configured() -> None:
    without_key, with_key = (
        recorded.one("glue.SecurityConfiguration").inputs["encryptionConfiguration"]
        for recorded in (previewed(), previewed(spark={"encryptionKeyArn": KEY}))
    )
    assert without_key["s3Encryption"] == {"s3EncryptionMode": "SSE-S3"}
    assert without_key["cloudwatchEncryption"] == {"cloudwatchEncryptionMode": "DISABLED"}
    assert with_key["cloudwatchEncryption"] == {"cloudwatchEncryptionMode": "SSE-KMS", "kmsKeyArn": KEY}
    assert with_key["jobBookmarksEncryption"] == {"jobBookmarksEncryptionMode": "CSE-KMS", "kmsKeyArn": KEY}


def test_a_key_encrypts_the_environment_of_every_function() -> None:
    assert {function.inputs.get("kmsKeyArn") for function in previewed().all("lambda.Function")} == {None}
    with_key = previewed(environmentKeyArn=KEY)
    assert {function.inputs["kmsKeyArn"] for function in with_key.all("lambda.Function")} == {KEY}
    for role in ("manifest-builder", "steps", "sweeper"):
        assert ("kms:Decrypt", KEY, None) in permissions(with_key, f"polyphony-test-ingestion-{role}")


def test_with_a_key_glue_logs_to_groups_named_after_its_security_configuration_and_role() -> None:
    with_key = previewed(spark={"encryptionKeyArn": KEY})
    configuration = with_key.one("glue.SecurityConfiguration").inputs["name"]
    role = with_key.one("iam.Role", "spark").inputs["name"]
    prefix = with_key.one("glue.Job").inputs["defaultArguments"]["--custom-logGroup-prefix"]
    names = [f"{prefix}/{configuration}-role/{role}/{stream}" for stream in ("error", "output")]
    groups = {resource.inputs["name"]: resource.inputs for resource in with_key.all("cloudwatch.LogGroup")}
    assert [groups[name]["kmsKeyId"] for name in names] == [KEY, KEY]
    arns = [f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}:*" for name in names]
    actions = "AssociateKmsKey CreateLogGroup CreateLogStream PutLogEvents"
    assert may("logs", actions, *arns) <= permissions(with_key, role)
    assert "AssociateKmsKey" not in str(permissions(previewed(), role))


def test_the_script_is_stored_below_the_hash_of_its_content() -> None:
    objects = previewed().all("s3.BucketObjectv2")
    keys = sorted(upload.inputs["key"] for upload in objects)
    (prefix,) = {key.rpartition("/")[0] for key in keys}
    assert [key.rpartition("/")[2] for key in keys] == ["handlers.zip", "job.py"]
    assert previewed().one("glue.Job").inputs["command"]["scriptLocation"].endswith(f"/{prefix}/job.py")


def test_only_a_web_page_of_the_configured_origin_may_upload_files() -> None:
    assert previewed().all("s3.BucketCorsConfiguration") == []
    page = "https://app.example.com"
    [rule] = previewed(intake={"corsOrigin": page}).one("s3.BucketCorsConfiguration", "landing").inputs["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == ([page], ["PUT"])
    assert rule["exposeHeaders"] == ["x-amz-version-id"], "the version id is part of a file's key in the table"


def test_files_are_versioned_and_parquet_uses_intelligent_tiering() -> None:
    assert previewed().one("s3.BucketVersioning").name == "ingestion-landing-versioning"
    rules = {rule["id"]: rule for rule in previewed().one("s3.BucketLifecycleConfiguration", "lake").inputs["rules"]}
    assert rules["tier-data"]["transitions"] == [{"days": 0, "storageClass": "INTELLIGENT_TIERING"}]
    assert rules["expire-queries"]["expiration"] == {"days": 7}


def test_athena_reads_pointers_and_needs_no_registered_partitions() -> None:
    (table,) = [resource for resource in previewed().all("glue.CatalogTable") if resource.name.endswith("table")]
    storage = table.inputs["storageDescriptor"]
    assert storage["inputFormat"].endswith("SymlinkTextInputFormat")
    assert storage["location"].endswith("/pointers/")
    configuration = previewed().one("athena.Workgroup").inputs["configuration"]
    assert configuration["bytesScannedCutoffPerQuery"] == 100 * 1024**3
    assert configuration["enforceWorkgroupConfiguration"] is True
    assert table.inputs["parameters"]["projection.enabled"] == "true"
    assert table.inputs["parameters"]["storage.location.template"].endswith("/pointers/dt=${dt}/")


def test_the_catalogue_has_the_columns_of_the_schema_and_those_that_the_job_adds() -> None:
    def columns(table: str, **spark: str) -> dict[str, str]:
        tables = {entry.inputs["name"]: entry.inputs for entry in previewed(spark=spark).all("glue.CatalogTable")}
        return {column["name"]: column["type"] for column in tables[table]["storageDescriptor"]["columns"]}

    ddl = "n LONG, tags ARRAY<STRING>"
    assert list(columns("rows", schemaDdl=ddl))[:3] == ["n", "tags", "_source_key"]
    assert columns("rows", schemaDdl=ddl)["tags"] == "array<string>"
    assert list(columns("newest", schemaDdl=ddl)) == [*columns("rows", schemaDdl=ddl), "dt"]
    assert next(iter(columns("rows"))) == "_source_key"


def test_the_view_has_the_types_that_athena_reads() -> None:
    recorded = previewed(spark={"schemaDdl": "id BIGINT, tags ARRAY<STRING>"})
    (view,) = [resource for resource in recorded.all("glue.CatalogTable") if resource.name.endswith("view")]
    encoded = view.inputs["viewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    types = {column["name"]: column["type"] for column in json.loads(base64.b64decode(encoded))["columns"]}
    assert (types["id"], types["tags"], types["_source_line"]) == ("bigint", "array(varchar)", "bigint")
    assert view.inputs["storageDescriptor"]["serDeInfo"] == {"name": "-", "serializationLibrary": "-"}, (
        "as in Athena's own views"
    )


def test_the_event_rule_matches_every_state_of_a_failed_glue_run() -> None:
    pattern = json.loads(previewed().one("cloudwatch.EventRule").inputs["eventPattern"])
    assert pattern["detail-type"] == ["Glue Job State Change"]
    assert set(pattern["detail"]["state"]) == {"FAILED", "TIMEOUT", "STOPPED"}


def test_the_sweeper_runs_every_few_minutes() -> None:
    schedule = previewed().one("scheduler.Schedule").inputs
    assert (schedule["scheduleExpression"], schedule["target"]["input"]) == ("rate(5 minutes)", '{"kind": "sweep"}')
    changed_schedule = previewed(manifests={"sweepMinutes": 1}).one("scheduler.Schedule").inputs
    assert changed_schedule["scheduleExpression"] == "rate(1 minute)"
