"""Tests of the clients' access: the API with its limits, and the variables of the token exchange.

The token exchange is the function that gives AWS credentials to a caller with a token of the identity provider.
"""

from tests.components.deployment_harness import arn, rest_document, rest_operations, variables
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    ISSUER,
    PAGE,
    PREFIX,
    TABLE,
    changed_preview,
    deployed,
    previewed,
)

ENVIRONMENT = {
    "ISSUER": ISSUER,
    "AUDIENCE": "polyphony",
    "JWKS_URL": f"{ISSUER}.well-known/jwks.json",
    "CLIENT_ROLE": f"arn:aws:iam::123456789012:role/{PREFIX}-client",
    "BUCKET_NAME": BUCKET,
    "TABLE_NAME": TABLE,
    "ORIGIN": "*",
    "CREDENTIAL_SECONDS": "3600",
    "RENEW_BEFORE_SECONDS": "900",
    "LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "meetings",
}


def test_the_exchange_has_exactly_these_variables() -> None:
    for recorded in (deployed(), previewed()):
        assert variables(recorded, "auth-exchange") == ENVIRONMENT
    assert variables(changed_preview(), "auth-exchange") == ENVIRONMENT | {"ORIGIN": PAGE}


def test_the_url_of_the_providers_keys_is_a_setting() -> None:
    identity = {"issuer": ISSUER, "audience": "us", "jwksUrl": "https://keys.example.com/all"}
    environment = variables(previewed({"identity": identity}), "auth-exchange")
    assert (environment["JWKS_URL"], environment["AUDIENCE"]) == ("https://keys.example.com/all", "us")


def test_every_operation_invokes_the_exchange_by_its_alias() -> None:
    [uri] = {operation["x-amazon-apigateway-integration"]["uri"] for operation in rest_operations(previewed())}
    alias = arn("lambda", f"function:{PREFIX}-auth-exchange:live")
    assert uri.endswith(f"/functions/{alias}/invocations")


def test_the_api_is_public_and_a_tag_says_what_verifies_the_caller() -> None:
    assert rest_document(previewed())["components"]["securitySchemes"] == {}
    assert len(deployed().one("apigateway.RestApi").inputs["tags"]["CallersCheckedBy"]) >= 15


def test_no_log_setting_logs_request_bodies() -> None:
    settings = previewed(logLevel="DEBUG").one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["dataTraceEnabled"], settings["loggingLevel"]) == (False, "ERROR")


def test_the_rate_limit_is_a_setting() -> None:
    settings = changed_preview().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (16, 32)


def test_a_page_of_the_origin_may_upload_chunks_and_read_results() -> None:
    [rule] = changed_preview().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == ([PAGE], ["GET", "PUT", "HEAD"])
    assert rule["exposeHeaders"] == ["ETag"]
