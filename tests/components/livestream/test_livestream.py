"""The livestream backend to the document: table, bucket, functions, API, and the settings that change them."""

import json
from typing import Any

import pytest

from components.settings.livestream import AuthorizerKind
from local.preview.property_values import UNKNOWN
from tests.components.livestream.recorded_deployment import (
    BUCKET,
    ISSUER,
    KEY,
    PREFIX,
    TABLE,
    changed,
    complete,
    livestream,
    plain,
)
from tests.components.subsystem_tests import ACCOUNT, variables
from tests.fake_engine import Recorded

ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "EVENT_SOURCE": "polyphony-test.livestream",
    "ENCRYPTION_KEY": f"/{PREFIX}-cursors",
    "ENCRYPTION_KEY_VERSION": "3",
    "ORIGIN": "*",
    "CURSOR_SECONDS": "3600",
    "URL_SECONDS": "3600",
    "MAX_VIDEO_GIGABYTES": "20",
    "MAX_TRANSCRIPT_MEGABYTES": "10",
    "MULTIPART_MEGABYTES": "100",
    "DELETED_DAYS": "7",
    "LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "livestream",
}


def body(recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorded.one("apigateway.RestApi").inputs["body"])
    return found


def test_the_table_is_the_documents() -> None:
    table = complete().one("dynamodb.Table").inputs
    assert (table["name"], table["tags"]["Name"]) == (TABLE, "NullCheckTable")
    assert (table["hashKey"], table["rangeKey"], table["billingMode"]) == ("pk", "sk", "PAY_PER_REQUEST")
    assert table["ttl"] == {"attributeName": "ttl", "enabled": True}
    listed, cared_for = table["globalSecondaryIndexes"]
    keys = {one["keyType"]: one["attributeName"] for one in listed["keySchemas"]}
    assert (listed["name"], keys) == ("GSI1", {"HASH": "GSI1PK", "RANGE": "GSI1SK"})
    assert (cared_for["name"], cared_for["projectionType"]) == ("GSI2", "KEYS_ONLY")
    assert table["tags"]["Backup"] != "none"


def test_the_bucket_forgets_everything_after_a_week_and_a_day_later_for_good() -> None:
    rules = complete().one("s3.BucketLifecycleConfiguration").inputs["rules"]
    kept = next(one for one in rules if one["id"] == "expire-all")
    assert kept["expiration"] == {"days": 7}
    assert kept["noncurrentVersionExpiration"] == {"noncurrentDays": 1}
    assert complete().one("s3.BucketVersioning").inputs["versioningConfiguration"]["status"] == "Enabled"
    rules = changed().one("s3.BucketLifecycleConfiguration").inputs["rules"]
    assert {"days": 3} in [one.get("expiration") for one in rules]


def test_the_bucket_tells_the_bus_and_takes_pages_of_the_origin() -> None:
    assert complete().one("s3.BucketNotification").inputs["eventbridge"] is True
    [rule] = changed().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com"]
    assert rule["exposeHeaders"] == ["ETag"], "or a page could not put the parts of its upload together"


def test_the_function_reads_what_is_listed_here() -> None:
    assert variables(complete(), "episodes") == ENVIRONMENT
    expected = ENVIRONMENT | {"ENCRYPTION_KEY_VERSION": UNKNOWN}
    assert variables(plain(), "episodes") == expected, "and all else is known at preview"
    assert variables(changed(), "episodes") == expected | {
        "ORIGIN": "https://app.example.com",
        "MULTIPART_MEGABYTES": "11",
        "MAX_VIDEO_GIGABYTES": "5",
        "MAX_TRANSCRIPT_MEGABYTES": "4",
    }


def test_functions_are_of_the_documents_size_and_traced() -> None:
    one = complete().one("lambda.Function", "episodes").inputs
    assert (one["memorySize"], one["timeout"], one["architectures"]) == (1024, 25, ["arm64"])
    assert (one["runtime"], one["tracingConfig"]["mode"]) == ("python3.13", "Active")


def test_the_key_is_a_parameter_and_nowhere_else() -> None:
    parameter = complete().one("ssm.Parameter").inputs
    assert (parameter["name"], parameter["type"]) == (f"/{PREFIX}-cursors", "SecureString")
    for one in complete().graph:
        if one.kind != "Parameter":
            assert KEY not in str(one.request), one.name


def test_the_api_is_called_api_and_every_operation_is_answered_by_the_alias() -> None:
    assert complete().one("apigateway.Stage").inputs["stageName"] == "api"
    operations = [one for path in body(plain())["paths"].values() for one in path.values() if "operationId" in one]
    assert {one["operationId"] for one in operations} == {
        *("createEpisode", "listEpisodes", "getEpisode", "updateEpisode", "deleteEpisode"),
        *("requestUpload", "signParts", "completeUpload", "listClaims", "listClips"),
    }
    uris = {one["x-amazon-apigateway-integration"]["uri"] for one in operations}
    alias = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-episodes:live"
    assert uris == {f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{alias}/invocations"}


def test_callers_prove_who_they_are_as_the_settings_say() -> None:
    def schemes(authorizer: str) -> set[str]:
        return set(body(livestream(api={"authorizer": authorizer}))["components"]["securitySchemes"])

    assert {one: schemes(one) for one in AuthorizerKind} == {"none": set(), "apiKey": {"apiKey"}, "jwt": {"lambda"}}
    read = variables(complete(), "authorizer")
    assert (read["ISSUER"], read["AUDIENCE"]) == (ISSUER, "polyphony")
    assert read["JWKS_URL"] == f"{ISSUER}.well-known/jwks.json"
    [scheme] = body(plain())["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] == 60


def test_a_key_has_a_quota() -> None:
    plan = livestream(api={"authorizer": "apiKey", "requestsPerSecond": 5}).one("apigateway.UsagePlan").inputs
    assert plan["quotaSettings"] == {"limit": 50_000, "period": "DAY"}
    assert plan["throttleSettings"] == {"rateLimit": 5, "burstLimit": 10}


def test_the_stage_is_throttled_measured_traced_and_logs_errors() -> None:
    settings = changed().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (7, 14)
    settings = complete().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["metricsEnabled"], settings["loggingLevel"], settings["dataTraceEnabled"]) == (
        True,
        "ERROR",
        False,
    )
    assert complete().one("apigateway.Stage").inputs["xrayTracingEnabled"] is True


def test_a_firewall_stands_before_it_only_where_it_is_asked_for() -> None:
    assert complete().all("wafv2.WebAcl") == []
    found = changed()
    [rule] = found.one("wafv2.WebAcl").inputs["rules"]
    assert rule["statement"]["rateBasedStatement"]["limit"] == 500


def test_without_its_key_nothing_is_deployed() -> None:
    with pytest.raises(Exception, match="encryptionKey is not set"):
        livestream(encryptionKey=None)
