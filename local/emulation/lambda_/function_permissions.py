"""The resource policies of functions, which the emulator does not check."""

from collections.abc import Mapping

from ministack.services import lambda_svc

from local.emulation import reached
from local.emulation.iam.policy_evaluator import Request
from local.emulation.iam.resource_policies import service_may

GATEWAY = "apigateway.amazonaws.com"


def let_in(name: str, function: str, source_arn: str) -> bool:
    """Return True if API Gateway may call a function for a route, a method or an authorizer."""
    return lets_in(name, function, GATEWAY, {"aws:SourceArn": source_arn})


def lets_in(name: str, function: str, service: str, keys: Mapping[str, str]) -> bool:
    """Return True if a service that sends these condition keys may call a function. `function` is the ARN it calls."""
    known = reached(lambda_svc, "_functions").get(name) or {"policy": {}}
    return service_may(known["policy"], service, Request("lambda:InvokeFunction", function, keys))
