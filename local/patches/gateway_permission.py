"""Whether a function lets API Gateway call it, as its own policy says: the emulator never asks."""

from ministack.services import lambda_svc

from local.iam.evaluator import Request, judge
from local.patches import reached

GATEWAY = {"Service": "apigateway.amazonaws.com"}


def let_in(name: str, function: str, source_arn: str) -> bool:
    """Whether it may be called for a route, a method or an authorizer; `aws:SourceArn` is all that API Gateway sends."""
    statements = [
        {key: value for key, value in statement.items() if key != "Principal"}
        for statement in reached(lambda_svc, "_functions")[name]["policy"]["Statement"]
        if statement["Principal"] == GATEWAY
    ]
    request = Request("lambda:InvokeFunction", function, {"aws:SourceArn": source_arn})
    return judge([{"Statement": statements}], request).allowed
