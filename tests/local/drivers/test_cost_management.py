"""Test of the driver of budgets, which describes the request that creates a budget on the local platform."""

import pytest

from local.drivers import DRIVERS
from local.drivers.model import ResourceValues
from local.drivers.service_shapes import build_parameters, find_violations, input_shape
from local.property_values import UNKNOWN

pytestmark = pytest.mark.unit

TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"
DRIVER = DRIVERS["aws:budgets/budget:Budget"]


def test_every_subscriber_of_a_budget_is_in_the_request() -> None:
    subscribers = {"subscriberSnsTopicArns": [TOPIC, UNKNOWN], "subscriberEmailAddresses": ["ops@example.com"]}
    notification = {"comparisonOperator": "GREATER_THAN", "threshold": 80, "notificationType": "ACTUAL", **subscribers}
    inputs = {"name": "monthly", "budgetType": "COST", "timeUnit": "MONTHLY", "costFilters": []}
    [call] = DRIVER.create
    request = build_parameters(DRIVER, call, ResourceValues({**inputs, "notifications": [notification]}))
    [requested_notification] = request["NotificationsWithSubscribers"]
    assert [(item["SubscriptionType"], item["Address"]) for item in requested_notification["Subscribers"]] == [
        ("SNS", TOPIC),
        ("SNS", UNKNOWN),
        ("EMAIL", "ops@example.com"),
    ]
    assert not list(find_violations(request, input_shape(DRIVER, call), call.operation))
