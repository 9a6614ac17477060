"""IAM documents for the specs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]
ACCOUNT = "123456789012"
REGION = "us-east-1"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/polyphony-prod-x"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-media"


def document(*statements: Statement) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(
    actions: str | Sequence[str],
    resources: str | Sequence[str] = TABLE_ARN,
    condition: Mapping[str, Any] | None = None,
    **more: Any,
) -> Statement:
    """Return a statement that allows actions."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
    return {**statement, "Condition": condition} if condition else statement


def trust(principal: Any, condition: Mapping[str, Any] | None = None, action: Any = "sts:AssumeRole") -> str:
    """Return a trust policy."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Principal": principal}
    return document({**statement, "Condition": condition} if condition else statement)


def service(name: str, condition: Mapping[str, Any] | None = None) -> str:
    """Return a trust policy for a service."""
    return trust({"Service": name}, condition)


def source(arn: str) -> dict[str, Any]:
    """Return conditions on the account and the ARN of the calling resource."""
    return {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": arn}}
