"""Checks the resource policy of a function that an AWS service wants to call, because the emulator does not."""

from collections.abc import Mapping

from ministack.services import lambda_svc

from local.emulation import get_private
from local.emulation.iam.policy_evaluator import AccessRequest, policy_admits

API_GATEWAY = "apigateway.amazonaws.com"


def admits_api_gateway(name: str, function: str, source_arn: str) -> bool:
    """Return True if API Gateway may call a function for the route, method or authorizer with the ARN `source_arn`.

    `name` is the function's name, and `function` the ARN that API Gateway calls.
    """
    return admits_service(name, function, API_GATEWAY, {"aws:SourceArn": source_arn})


def admits_service(name: str, function: str, service: str, keys: Mapping[str, str]) -> bool:
    """Return True if the policy of a function allows a service to call it with these condition keys.

    `name` is the function's name, and `function` the ARN that the service calls.
    """
    record = get_private(lambda_svc, "_functions").get(name) or {"policy": {}}
    return policy_admits(record["policy"], service, AccessRequest("lambda:InvokeFunction", function, keys))
