"""Tests of the page of permissions: it lists all permissions, and the statements in its text and on the page about
security are true.
"""

import json
import re

import pytest

from guardrails.rules import roles
from guardrails.surface.tables import Table, read_table
from local import ROOT
from local.generate import documented_resource_graph, permissions_page
from local.generate.documented_resource_graph import list_role_statements
from local.preview.resource_graph import Graph
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS

PAGE = ROOT / "docs" / "reference" / "permissions.md"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return documented_resource_graph.build_stack_graph()


def test_every_granted_action_is_named_in_its_roles_chapter(graph: Graph) -> None:
    chapters = dict(re.findall(r"^#### (.+?)\n(.*?)(?=^#|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    for role, statement in list_role_statements(graph):
        name = role.removeprefix("polyphony-prod-")
        if permissions_page.is_telemetry(statement, role):
            continue
        for action in statement["Action"]:
            assert f"`{action}`" in chapters[name], f"{name}: {action}"


def test_the_page_omits_grants_of_a_role_on_its_own_logs_and_no_others() -> None:
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    statement = {"Action": actions, "Resource": ["arn:x:/aws/lambda/role:*"]}
    assert permissions_page.is_telemetry(statement, "role")
    assert not permissions_page.is_telemetry(statement, "another")
    assert not permissions_page.is_telemetry({**statement, "Action": [*actions, "logs:DeleteLogStream"]}, "role")


def test_the_page_contains_no_account_id() -> None:
    assert "123456789012" not in PAGE.read_text()


def test_every_entry_point_but_the_identity_pool_of_guests_checks_its_callers(graph: Graph) -> None:
    _table_head, *rows = [line for line in permissions_page.list_entries(graph) if line.startswith("| ")]
    assert len(rows) > 10
    assert not [row for row in rows if "**none**" in row], "an API has no tag that names its check"
    [unchecked] = [row for row in rows if "none" in row]
    assert "voice-qa-guests" in unchecked


def test_an_api_method_is_an_entry_point_if_it_invokes_a_function(graph: Graph) -> None:
    entry_points = "\n".join(permissions_page.list_entries(graph))
    for resource in graph.customs():
        if resource.kind == "RestApi":
            for path, methods in json.loads(resource.inputs["body"])["paths"].items():
                for method, operation in methods.items():
                    integration = operation.get("x-amazon-apigateway-integration", {})
                    assert (f"`{method.upper()} {path}`" in entry_points) == ("uri" in integration)


def test_an_exception_is_listed_with_its_expiry_date(monkeypatch: pytest.MonkeyPatch) -> None:
    exception = {"policy": "waf-is-there", "resource": "api", "expires": "2030-01-01", "reason": "not needed yet"}
    monkeypatch.setattr(permissions_page, "_read_exceptions", lambda stack: [exception] if stack == "dev" else [])
    assert (
        list(permissions_page.list_exceptions())[-1] == "| dev | `waf-is-there` | `api` | 2030-01-01 | not needed yet |"
    )


def test_no_role_may_change_iam_or_delete_a_table_or_a_bucket() -> None:
    roles = [grant.split(" | ") for grant in read_table(Table.GRANTS) if not grant.startswith("aws:")]
    actions = {action for _role, action, *_ in roles}
    assert len(actions) > 50
    assert {action for action in actions if action.startswith(("iam:", "*"))} == {"iam:PassRole"}
    assert actions.isdisjoint({"dynamodb:DeleteTable", "s3:DeleteBucket"})


def test_only_the_services_that_the_security_page_names_send_no_source_arn_when_they_assume_a_role() -> None:
    silent = {service for service, sent in roles.SENT_KEYS.items() if "aws:SourceArn" not in sent["keys"]}
    assert silent == {f"{name}.amazonaws.com" for name in ("lambda", "glue", "backup", "apigateway")}
