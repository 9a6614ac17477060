"""Tests that the drivers cover the whole program, and of the values that they compute. They need no emulator.

A driver describes the calls that create, change and delete a type of resource on the local platform.
"""

import ast
import inspect
from typing import Any

import pulumi
import pulumi_aws
import pytest

from guardrails.pricing.price_rules import PRICED_TYPES
from guardrails.surface.tables import list_free_types
from local import ROOT
from local.drivers import ALL_DRIVERS, DRIVERS
from local.drivers.apis import method_settings_patch, method_settings_removal
from local.drivers.model import ResourceValues, identity_inputs, used_inputs
from local.drivers.service_shapes import build_parameters, find_violations, input_shape
from local.property_values import UNKNOWN
from tests.whole_program import ONE_WORKER, STACKS, graph

pytestmark = pytest.mark.unit

NEW_REVISION = {"RegisterJobDefinition": {"revision": 2}}
"""Response from which the deregistration of the previous revision takes its name."""


@ONE_WORKER
def test_every_call_for_a_resource_of_the_program_is_valid() -> None:
    checked = set()
    for resource in (resource for stack in STACKS for resource in graph(stack).customs()):
        driver, inputs = ALL_DRIVERS[resource.type], resource.inputs
        if (kind := (resource.type, frozenset(inputs))) in checked:
            continue
        checked.add(kind)
        values = ResourceValues(inputs, outputs=dict.fromkeys(driver.outputs, UNKNOWN), responses=NEW_REVISION)
        for call in filter(
            lambda call: call.is_condition_met(values), (*driver.create, *driver.update, *driver.delete)
        ):
            parameters = build_parameters(driver, call, values)
            violations = list(find_violations(parameters, input_shape(driver, call), call.operation))
            assert violations == [], resource.urn
        # An update call uses the name to find the resource, so it cannot rename it.
        created = set().union(*(used_inputs(driver, call, inputs) for call in driver.create))
        assert identity_inputs(driver, inputs) <= created, resource.urn
    assert len(checked) > 70


def test_every_type_but_the_topic_policy_can_be_deleted() -> None:
    assert {kind for kind, driver in DRIVERS.items() if not driver.delete} == {"aws:sns/topicPolicy:TopicPolicy"}


def list_created_types() -> set[str]:
    """Return every type of the AWS package that the program's source creates in any stack."""
    result = set()
    for path in (ROOT / "components").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                    resource_class = getattr(getattr(pulumi_aws, module, None), name, None)
                    if inspect.isclass(resource_class) and issubclass(resource_class, pulumi.CustomResource):
                        result.add(vars(resource_class)["pulumi_type"])
    return result


@ONE_WORKER
def test_every_type_that_the_program_can_create_has_a_driver_and_a_price() -> None:
    created_types = list_created_types()
    assert created_types >= {
        resource.type for stack in STACKS for resource in graph(stack).customs() if resource.type.startswith("aws:")
    }
    assert created_types == ALL_DRIVERS.keys()
    assert created_types <= PRICED_TYPES | list_free_types()


TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"


def test_every_filter_and_subscriber_of_a_budget_is_in_the_request() -> None:
    driver = DRIVERS["aws:budgets/budget:Budget"]
    subscribers = {"subscriberSnsTopicArns": [TOPIC, UNKNOWN], "subscriberEmailAddresses": ["ops@example.com"]}
    notification = {"comparisonOperator": "GREATER_THAN", "threshold": 80, "notificationType": "ACTUAL", **subscribers}
    inputs: dict[str, Any] = {"name": "monthly", "budgetType": "COST", "timeUnit": "MONTHLY"}
    inputs["costFilters"] = [{"name": "TagKeyValue", "values": ["user:Team$a"]}]
    [call] = driver.create
    request = build_parameters(driver, call, ResourceValues({**inputs, "notifications": [notification]}))
    assert request["Budget"]["CostFilters"] == {"TagKeyValue": ["user:Team$a"]}
    [requested_notification] = request["NotificationsWithSubscribers"]
    assert [(item["SubscriptionType"], item["Address"]) for item in requested_notification["Subscribers"]] == [
        ("SNS", TOPIC),
        ("SNS", UNKNOWN),
        ("EMAIL", "ops@example.com"),
    ]


def test_method_settings_are_set_and_removed_by_patches_of_the_stage() -> None:
    values = ResourceValues({"methodPath": "*/*", "settings": {"dataTraceEnabled": False, "throttlingRateLimit": 0.5}})
    assert method_settings_patch.compute(values) == [
        {"op": "replace", "path": "/*/*/logging/dataTrace", "value": "false"},
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.5"},
    ]
    assert method_settings_removal.compute(values) == [{"op": "remove", "path": "/*/*"}]
