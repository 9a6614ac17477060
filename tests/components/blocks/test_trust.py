"""Trust policies carry exactly the conditions that a service's documentation says it sends."""

import json

from components.blocks.trust import SENDS, Service, trust_policy
from tests.engine import context

GROUP = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"


def condition(service: Service, source_arn: str | None = None) -> object:
    (statement,) = json.loads(trust_policy(service, context(), source_arn))["Statement"]
    assert statement["Principal"] == {"Service": service.value}
    return statement.get("Condition")


def test_every_service_is_in_the_table_with_its_page() -> None:
    assert set(SENDS) == set(Service)
    assert all(one.page.startswith("https://docs.aws.amazon.com/") for one in SENDS.values())


def test_a_service_that_sends_nothing_gets_no_condition() -> None:
    assert condition(Service.LAMBDA, "arn:aws:lambda:us-east-1:123456789012:function:x") is None


def test_a_service_that_sends_both_gets_both() -> None:
    assert condition(Service.SCHEDULER, GROUP) == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": GROUP},
    }
