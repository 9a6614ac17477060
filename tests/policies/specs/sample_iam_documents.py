"""IAM policy documents and ARNs for the specs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.policies.policy_harness import BOUNDARY

Statement = Mapping[str, Any]
ACCOUNT = "123456789012"
REGION = "us-east-1"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/polyphony-prod-x"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-media"
ACCOUNT_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}"


def document(*statements: Statement) -> str:
    """Return a policy document as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(
    actions: str | Sequence[str],
    resources: str | Sequence[str] = TABLE_ARN,
    condition: Mapping[str, Any] | None = None,
    **other_elements: Any,
) -> Statement:
    """Return a statement that allows actions, by default on a table."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources, **other_elements}
    return {**statement, "Condition": condition} if condition else statement


def trust(principal: Any, condition: Mapping[str, Any] | None = None, action: Any = "sts:AssumeRole") -> str:
    """Return a trust policy, which allows a principal to assume a role."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Principal": principal}
    return document({**statement, "Condition": condition} if condition else statement)


def trust_service(name: str, condition: Mapping[str, Any] | None = None) -> str:
    """Return a trust policy for an AWS service, for example `lambda`."""
    return trust({"Service": f"{name}.amazonaws.com"}, condition)


def source_condition(arn: str) -> dict[str, Any]:
    """Return conditions on the account and the ARN of the resource for which a service acts."""
    return {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": arn}}
