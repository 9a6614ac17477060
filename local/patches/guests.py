"""Cognito's guests as IAM knows them.

The emulator hands out credentials of whatever role a pool names, and to identities that it does not know; on AWS the
role's own trust policy decides. And nothing of the credentials says to the role's policies whose they are.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator, responses
from ministack.core.responses import get_account_id
from ministack.services import cognito, iam, sts

from local.iam.evaluator import Request, judge, listed
from local.patches import reached

COGNITO = "cognito-identity.amazonaws.com"
FEDERATED = {"Federated": COGNITO}
TAKES = "sts:AssumeRoleWithWebIdentity"


def install() -> None:
    """Replaces `iam_evaluator._principal_keys` and `cognito._get_credentials_for_identity`."""
    keys_of = reached(iam_evaluator, "_principal_keys")
    hand_out = reached(cognito, "_get_credentials_for_identity")
    refused = reached(responses, "error_response_json")

    def keys_with_identity(credential: Any) -> dict[str, Any]:
        session = reached(sts, "_sessions").get(credential.access_key_id) or {}
        return {**keys_of(credential), **identity_keys(session)}

    def hand_out_if_trusted(data: Mapping[str, Any]) -> Any:
        identity = data.get("IdentityId", "")
        pools = reached(cognito, "_identity_pools")
        pool = next((one for one in pools.values() if identity in one["_identities"]), None)
        if pool is None:
            return refused("ResourceNotFoundException", f"Identity '{identity}' not found.", 400)
        role = pool["_roles"].get("authenticated" if data.get("Logins") else "unauthenticated", "")
        session = {
            "_identity_id": identity,
            "_identity_pool_id": pool["IdentityPoolId"],
            "_cognito_amr": ["authenticated" if data.get("Logins") else "unauthenticated"],
        }
        if not _trusts(role.rpartition("/")[2], identity_keys(session)):
            told = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
            return refused("InvalidIdentityPoolConfigurationException", told, 400)
        return hand_out(data)

    iam_evaluator._principal_keys = keys_with_identity  # noqa: SLF001
    cognito._get_credentials_for_identity = hand_out_if_trusted  # noqa: SLF001


def identity_keys(session: Mapping[str, Any]) -> dict[str, Any]:
    """What condition keys and policy variables know of an identity; nothing where a session is of none."""
    if not session.get("_identity_id"):
        return {}
    return {
        f"{COGNITO}:sub": session["_identity_id"],
        f"{COGNITO}:aud": session["_identity_pool_id"],
        f"{COGNITO}:amr": list(session["_cognito_amr"]),
    }


def _trusts(role: str, keys: Mapping[str, Any]) -> bool:
    """Whether a role's trust policy lets Cognito take it for an identity."""
    known = reached(iam, "_roles").get_scoped(get_account_id(), None, role) or {}
    text = known.get("AssumeRolePolicyDocument") or {}
    document = json.loads(text) if isinstance(text, str) else text
    statements = [
        {**{key: value for key, value in one.items() if key != "Principal"}, "Resource": "*"}
        for one in listed(document.get("Statement", []))
        if one.get("Principal") == FEDERATED
    ]
    return judge([{"Statement": statements}], Request(TAKES, "*", keys)).allowed
