"""Checks the trust policy of a role that an AWS service or Cognito wants to assume, because the emulator does not."""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from local.emulation import get_private
from local.emulation.iam.policy_evaluator import AccessRequest, policy_admits

ASSUME_ROLE = "sts:AssumeRole"


def role_trusts(role_arn: str, principal: str, keys: Mapping[str, Any], action: str = ASSUME_ROLE) -> bool:
    """Return True if the role exists and its trust policy allows the principal to assume it.

    `keys` are the condition keys of the request with their values, for example `aws:SourceArn`.
    """
    role = get_private(iam, "_roles").get_scoped(get_account_id(), None, role_arn.rpartition("/")[2])
    if role is None or role["Arn"] != role_arn:
        return False
    text = role.get("AssumeRolePolicyDocument") or {}
    document = json.loads(text) if isinstance(text, str) else text
    return policy_admits(document, principal, AccessRequest(action, "*", keys))
