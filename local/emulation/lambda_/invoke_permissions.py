"""Evaluates the resource policies of functions, which the emulator does not check."""

from collections.abc import Mapping

from ministack.services import lambda_svc

from local.emulation import get_private
from local.emulation.iam.policy_evaluator import AccessRequest, policy_admits

API_GATEWAY = "apigateway.amazonaws.com"


def admits_api_gateway(name: str, function: str, source_arn: str) -> bool:
    """Return True if API Gateway may call a function for a route, a method or an authorizer with this ARN.

    `name` is the function's name, `function` the ARN that API Gateway calls.
    """
    return admits_service(name, function, API_GATEWAY, {"aws:SourceArn": source_arn})


def admits_service(name: str, function: str, service: str, keys: Mapping[str, str]) -> bool:
    """Return True if a service that sends these condition keys may call a function.

    `name` is the function's name, `function` the ARN that the service calls.
    """
    record = get_private(lambda_svc, "_functions").get(name) or {"policy": {}}
    return policy_admits(record["policy"], service, AccessRequest("lambda:InvokeFunction", function, keys))
