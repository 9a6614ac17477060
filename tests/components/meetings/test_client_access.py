"""How clients get in: one operation whose function verifies the token, held by a rate, told what to give."""

import json
from typing import Any

from tests.components.meetings.recorded_deployment import (
    BUCKET,
    ISSUER,
    PAGE,
    PREFIX,
    TABLE,
    changed,
    complete,
    meetings,
    plain,
)
from tests.components.subsystem_tests import ACCOUNT, variables
from tests.fake_engine import Recorded

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


def body(recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorded.one("apigateway.RestApi").inputs["body"])
    return found


def test_the_exchange_reads_what_is_listed_here() -> None:
    for recorded in (complete(), plain()):
        assert variables(recorded, "auth-exchange") == ENVIRONMENT
    assert variables(changed(), "auth-exchange") == ENVIRONMENT | {"ORIGIN": PAGE}


def test_a_provider_may_have_its_keys_elsewhere() -> None:
    identity = {"issuer": ISSUER, "audience": "us", "jwksUrl": "https://keys.example.com/all"}
    read = variables(meetings({"identity": identity}), "auth-exchange")
    assert (read["JWKS_URL"], read["AUDIENCE"]) == ("https://keys.example.com/all", "us")


def test_there_is_one_operation_and_the_alias_answers_it() -> None:
    operations = [
        operation
        for path in body(plain())["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    [uri] = {operation["x-amazon-apigateway-integration"]["uri"] for operation in operations}
    assert uri.endswith(f"/functions/arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-auth-exchange:live/invocations")


def test_whoever_calls_has_no_credentials_yet_and_the_api_says_who_checks_him() -> None:
    assert body(plain())["components"]["securitySchemes"] == {}
    assert len(complete().one("apigateway.RestApi").inputs["tags"]["CallersCheckedBy"]) >= 15


def test_no_token_is_logged_whatever_the_settings_say_of_levels() -> None:
    settings = meetings(logLevel="DEBUG").one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["dataTraceEnabled"], settings["loggingLevel"]) == (False, "ERROR")


def test_the_stage_takes_as_much_as_the_settings_say() -> None:
    settings = changed().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (16, 32)


def test_a_firewall_stands_before_it_only_where_it_is_asked_for() -> None:
    assert complete().all("wafv2.WebAcl") == []
    [rule] = changed().one("wafv2.WebAcl").inputs["rules"]
    assert rule["statement"]["rateBasedStatement"]["limit"] == 500


def test_a_page_of_the_origin_may_put_chunks_and_read_what_became_of_them() -> None:
    [rule] = changed().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == ([PAGE], ["GET", "PUT", "HEAD"])
    assert rule["exposeHeaders"] == ["ETag"]
