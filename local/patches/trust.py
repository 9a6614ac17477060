"""Whether a role lets a service take it on, as its trust policy says: the emulator itself never asks."""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from local.iam.evaluator import Request, judge, listed
from local.patches import reached

TAKES = "sts:AssumeRole"


def trusts(role_arn: str, service: str, keys: Mapping[str, str]) -> bool:
    """Whether there is such a role, and a service that sends these keys may take it on."""
    known = reached(iam, "_roles").get_scoped(get_account_id(), None, role_arn.rpartition("/")[2])
    if known is None or known["Arn"] != role_arn:
        return False
    return judge([{"Statement": _statements(known, "Service", service)}], Request(TAKES, "*", keys)).allowed


def _statements(role: Mapping[str, Any], kind: str, principal: str) -> list[dict[str, Any]]:
    """What a trust policy says of one principal, in the form of a role's own policy."""
    text = role.get("AssumeRolePolicyDocument") or {}
    document = json.loads(text) if isinstance(text, str) else text
    return [
        {**{key: value for key, value in one.items() if key != "Principal"}, "Resource": "*"}
        for one in listed(document.get("Statement", []))
        if principal in listed((one.get("Principal") or {}).get(kind, []))
    ]
