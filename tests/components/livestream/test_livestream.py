"""Tests of the livestream backend: its table, bucket, functions and API, and the settings that change them.

The function `episodes` serves the API, and the function `authorizer` verifies the tokens of its callers.
"""

from components.settings.livestream import AuthorizerKind
from local.preview.property_value_conversion import UNKNOWN
from tests.components.deployment_harness import arn, rest_document, rest_operations, variables
from tests.components.livestream.recorded_deployment import (
    BUCKET,
    ISSUER,
    KEY,
    PREFIX,
    TABLE,
    changed_preview,
    deployed,
    previewed,
)

ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "EVENT_SOURCE": "polyphony-test.livestream",
    "ENCRYPTION_KEY": f"/{PREFIX}-cursors",
    "ENCRYPTION_KEY_VERSION": "3",
    "ORIGIN": "*",
    "CURSOR_SECONDS": "3600",
    "URL_SECONDS": "900",
    "MAX_VIDEO_GIGABYTES": "20",
    "MAX_TRANSCRIPT_MEGABYTES": "10",
    "MULTIPART_MEGABYTES": "100",
    "PLAYBACK_SECONDS": "300",
    "DELETED_DAYS": "7",
    "LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "livestream",
}


def test_the_table_has_the_required_keys_indexes_and_ttl() -> None:
    table = deployed().one("dynamodb.Table").inputs
    assert (table["name"], table["tags"]["Name"]) == (TABLE, "NullCheckTable")
    assert (table["hashKey"], table["rangeKey"], table["billingMode"]) == ("pk", "sk", "PAY_PER_REQUEST")
    assert table["ttl"] == {"attributeName": "ttl", "enabled": True}
    list_index, sweep_index = table["globalSecondaryIndexes"]
    keys = {key_schema["keyType"]: key_schema["attributeName"] for key_schema in list_index["keySchemas"]}
    assert (list_index["name"], keys) == ("GSI1", {"HASH": "GSI1PK", "RANGE": "GSI1SK"})
    assert (sweep_index["name"], sweep_index["projectionType"]) == ("GSI2", "KEYS_ONLY")
    assert table["tags"]["Backup"] != "none"


def test_objects_expire_after_seven_days_and_old_versions_a_day_later() -> None:
    rules = deployed().one("s3.BucketLifecycleConfiguration").inputs["rules"]
    expiry_rule = next(rule for rule in rules if rule["id"] == "expire-all")
    assert expiry_rule["expiration"] == {"days": 7}
    assert expiry_rule["noncurrentVersionExpiration"] == {"noncurrentDays": 1}
    assert deployed().one("s3.BucketVersioning").inputs["versioningConfiguration"]["status"] == "Enabled"
    rules = changed_preview().one("s3.BucketLifecycleConfiguration").inputs["rules"]
    assert {"days": 3} in [rule.get("expiration") for rule in rules]


def test_the_bucket_sends_events_to_eventbridge_and_allows_the_origin_by_cors() -> None:
    assert deployed().one("s3.BucketNotification").inputs["eventbridge"] is True
    [rule] = changed_preview().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com"]
    assert rule["exposeHeaders"] == ["ETag"], "a page needs the ETags to complete its upload"


def test_the_function_reads_exactly_the_listed_variables() -> None:
    assert variables(deployed(), "episodes") == ENVIRONMENT
    expected = ENVIRONMENT | {"ENCRYPTION_KEY_VERSION": UNKNOWN}
    assert variables(previewed(), "episodes") == expected, "all other values are known at preview"
    assert variables(changed_preview(), "episodes") == expected | {
        "ORIGIN": "https://app.example.com",
        "MULTIPART_MEGABYTES": "11",
        "MAX_VIDEO_GIGABYTES": "5",
        "MAX_TRANSCRIPT_MEGABYTES": "4",
    }


def test_functions_have_the_required_size_and_are_traced() -> None:
    function = deployed().one("lambda.Function", "episodes").inputs
    assert (function["memorySize"], function["timeout"], function["architectures"]) == (1024, 25, ["arm64"])
    assert function["tracingConfig"]["mode"] == "Active"


def test_only_the_ssm_parameter_contains_the_encryption_key() -> None:
    parameter = deployed().one("ssm.Parameter").inputs
    assert (parameter["name"], parameter["type"]) == (f"/{PREFIX}-cursors", "SecureString")
    for resource in deployed().graph:
        if resource.kind != "Parameter":
            assert KEY not in str(resource.request), resource.name


def test_the_stage_is_named_api_and_every_operation_invokes_the_alias() -> None:
    assert deployed().one("apigateway.Stage").inputs["stageName"] == "api"
    operations = rest_operations(previewed())
    assert {operation["operationId"] for operation in operations} == {
        *("createEpisode", "listEpisodes", "getEpisode", "updateEpisode", "deleteEpisode"),
        *("requestUpload", "signParts", "completeUpload", "listChunks", "listClaims", "listClips"),
    }
    uris = {operation["x-amazon-apigateway-integration"]["uri"] for operation in operations}
    alias = arn("lambda", f"function:{PREFIX}-episodes:live")
    assert uris == {f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{alias}/invocations"}


def test_a_setting_selects_the_authorizer_of_the_api() -> None:
    def schemes(authorizer: str) -> set[str]:
        return set(rest_document(previewed(api={"authorizer": authorizer}))["components"]["securitySchemes"])

    assert {kind: schemes(kind) for kind in AuthorizerKind} == {"none": set(), "jwt": {"lambda"}}
    environment = variables(deployed(), "authorizer")
    assert (environment["ISSUER"], environment["AUDIENCE"]) == (ISSUER, "polyphony")
    assert environment["JWKS_URL"] == f"{ISSUER}.well-known/jwks.json"
    [scheme] = rest_document(previewed())["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] == 60


def test_the_stage_has_throttling_metrics_tracing_and_error_logs() -> None:
    settings = changed_preview().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (7, 14)
    settings = deployed().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["metricsEnabled"], settings["loggingLevel"]) == (True, "ERROR")
    assert not settings["dataTraceEnabled"]
    assert deployed().one("apigateway.Stage").inputs["xrayTracingEnabled"] is True
