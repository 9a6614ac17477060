"""Whether a function lets a service call it, as its own policy says: the emulator never asks."""

from collections.abc import Mapping

from ministack.services import lambda_svc

from local.iam.evaluator import Request
from local.iam.resource_policies import service_may
from local.patches import reached

GATEWAY = "apigateway.amazonaws.com"


def let_in(name: str, function: str, source_arn: str) -> bool:
    """Whether API Gateway may call it for a route, a method or an authorizer; `aws:SourceArn` is all that it sends."""
    return lets_in(name, function, GATEWAY, {"aws:SourceArn": source_arn})


def lets_in(name: str, function: str, service: str, keys: Mapping[str, str]) -> bool:
    """Whether a service that sends these keys may call a function, by name and by the ARN that it calls."""
    policy = reached(lambda_svc, "_functions")[name]["policy"]
    return service_may(policy, service, Request("lambda:InvokeFunction", function, keys))
