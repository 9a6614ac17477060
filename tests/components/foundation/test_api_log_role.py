"""Tests of the role for API Gateway's logs: one stack of a region creates it, and it may write only logs of APIs."""

import json
from typing import Any

from components.foundation import Foundation
from tests.components.deployment_harness import trust_statement
from tests.fake_engine import Engine, Recorded, context, foundation_settings

ROLE = "arn:aws:iam::123456789012:role/polyphony-test-foundation-api-logs"
OWNER_SETTINGS = {"apiGatewayRoleOwned": True}


def foundation(engine: Engine, **logs: Any) -> Recorded:
    return engine.run(lambda: Foundation(context(), foundation_settings(logs=logs)))


def test_the_role_is_created_only_by_the_stack_that_owns_it(engine: Engine) -> None:
    assert foundation(engine).all("apigateway.Account") == []
    assert foundation(engine, **OWNER_SETTINGS).one("apigateway.Account").inputs["cloudwatchRoleArn"] == ROLE


def test_the_account_setting_waits_for_the_permissions_of_the_role(engine: Engine) -> None:
    recorded = foundation(engine, **OWNER_SETTINGS)
    dependencies = {ancestor.name for ancestor in recorded.ancestors(recorded.one("apigateway.Account"))}
    assert {"foundation-api-logs-role", "foundation-api-logs-grants"} <= dependencies


def test_the_role_may_write_only_logs_of_this_accounts_apis(engine: Engine) -> None:
    policy = json.loads(foundation(engine, **OWNER_SETTINGS).one("iam.RolePolicy", "api-logs").inputs["policy"])
    actions_by_resources = {tuple(statement["Resource"]): statement["Action"] for statement in policy["Statement"]}
    logs = "arn:aws:logs:us-east-1:123456789012:log-group:"
    assert actions_by_resources.pop(("*",)) == ["logs:DescribeLogGroups"]
    ((resources, actions),) = actions_by_resources.items()
    assert resources == (f"{logs}/aws/apigateway/*", f"{logs}API-Gateway-Execution-Logs_*")
    assert "logs:PutLogEvents" in actions
    assert not [action for action in actions if "Delete" in action or "Retention" in action]


def test_the_trust_policy_has_no_condition_that_api_gateway_cannot_meet(engine: Engine) -> None:
    statement = trust_statement(foundation(engine, **OWNER_SETTINGS), "api-logs")
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert "Condition" not in statement
