"""Tests of the role for API Gateway's logs, which one stack of a region creates, and of the scopes of subsystems."""

import json
from typing import Any

import pytest

from components.blocks.naming.context import Subsystem
from components.foundation import Foundation
from components.settings import LogLevel
from tests.fake_engine import Engine, Recorded, context, foundation_settings

TOPIC = "arn:aws:sns:us-east-1:123456789012:polyphony-test-foundation-alerts"
ROLE = "arn:aws:iam::123456789012:role/polyphony-test-foundation-api-logs"
OWNER_SETTINGS = {"apiGatewayRoleOwned": True}


def foundation(engine: Engine, **logs: Any) -> Recorded:
    return engine.run(lambda: Foundation(context(), foundation_settings(logs=logs)))


def test_the_role_is_created_only_if_the_settings_say_so(engine: Engine) -> None:
    assert foundation(engine).all("apigateway.Account") == []
    assert foundation(engine, **OWNER_SETTINGS).one("apigateway.Account").inputs["cloudwatchRoleArn"] == ROLE


def test_the_account_setting_waits_for_the_permissions_of_the_role(engine: Engine) -> None:
    recorded = foundation(engine, **OWNER_SETTINGS)
    dependencies = {ancestor.name for ancestor in recorded.ancestors(recorded.one("apigateway.Account"))}
    assert {"foundation-api-logs-role", "foundation-api-logs-grants"} <= dependencies


def test_the_role_may_write_only_logs_of_this_accounts_apis(engine: Engine) -> None:
    policy = json.loads(foundation(engine, **OWNER_SETTINGS).one("iam.RolePolicy", "api-logs").inputs["policy"])
    by_resource = {tuple(statement["Resource"]): statement["Action"] for statement in policy["Statement"]}
    logs = "arn:aws:logs:us-east-1:123456789012:log-group:"
    assert by_resource.pop(("*",)) == ["logs:DescribeLogGroups"]
    ((resources, actions),) = by_resource.items()
    assert resources == (f"{logs}/aws/apigateway/*", f"{logs}API-Gateway-Execution-Logs_*")
    assert "logs:PutLogEvents" in actions
    assert not [action for action in actions if "Delete" in action or "Retention" in action]


def test_the_trust_policy_has_no_condition_that_api_gateway_cannot_meet(engine: Engine) -> None:
    role = foundation(engine, **OWNER_SETTINGS).one("iam.Role", "api-logs").inputs
    (statement,) = json.loads(role["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert "Condition" not in statement


@pytest.mark.parametrize(
    ("subsystem", "logs", "expected"),
    [
        (Subsystem.INGESTION, {}, ["TopicPolicy", "BucketPolicy"]),
        (Subsystem.INGESTION, OWNER_SETTINGS, ["TopicPolicy", "BucketPolicy", "Account"]),
        (Subsystem.FOUNDATION, OWNER_SETTINGS, ["TopicPolicy"]),
    ],
)
def test_blocks_wait_for_resources_that_they_need_but_do_not_refer_to(
    engine: Engine, subsystem: Subsystem, logs: dict[str, Any], expected: list[str]
) -> None:
    prerequisites: list[str] = []

    def program() -> None:
        scope = Foundation(context(), foundation_settings(logs=logs)).scope(subsystem, LogLevel.DEBUG)
        prerequisites.extend(type(resource).__name__ for resource in scope.prerequisites)
        assert (scope.alerts_topic, scope.log_level) == (TOPIC, LogLevel.DEBUG)

    engine.run(program)
    assert prerequisites == expected
