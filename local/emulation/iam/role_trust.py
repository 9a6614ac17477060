"""Evaluates the trust policies of roles, which the emulator does not check for services and for Cognito."""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from local.emulation import get_private
from local.emulation.iam.policy_evaluator import AccessRequest, as_list, evaluate_policies

ACTIONS = {"Service": "sts:AssumeRole", "Federated": "sts:AssumeRoleWithWebIdentity"}
"""Action with which each kind of principal assumes a role."""


def role_trusts(role_arn: str, principal: str, keys: Mapping[str, Any], kind: str = "Service") -> bool:
    """Return True if the role exists and a principal that sends these condition keys may assume it."""
    role = get_private(iam, "_roles").get_scoped(get_account_id(), None, role_arn.rpartition("/")[2])
    if role is None or role["Arn"] != role_arn:
        return False
    text = role.get("AssumeRolePolicyDocument") or {}
    document = json.loads(text) if isinstance(text, str) else text
    # The statements about the principal, in the form of a role's own policy.
    statements = [
        {**{key: value for key, value in statement.items() if key != "Principal"}, "Resource": "*"}
        for statement in as_list(document.get("Statement", []))
        if principal in as_list((statement.get("Principal") or {}).get(kind, []))
    ]
    return evaluate_policies([{"Statement": statements}], AccessRequest(ACTIONS[kind], "*", keys)).allowed
