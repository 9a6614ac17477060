"""Corrects the credentials that guests, the browser users of voice Q&A, get from the Cognito of the emulator, MiniStack.

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `guest_credentials` | Cognito | gives credentials to an unknown identity, and ignores the trust policy of the pool's role | refuses the identity, and a role that does not trust the pool | guests of voice Q&A |
| `guest_identity` | Cognito | has no condition keys with the identity of a guest's credentials | sets `cognito-identity.amazonaws.com:sub` and others | guests have grants on their own prefixes and items |
"""

from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator, responses
from ministack.services import cognito, sts

from local.emulation import get_private, wrap_function
from local.emulation.iam.service_call_permissions import role_trusts

COGNITO = "cognito-identity.amazonaws.com"


def install() -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(iam_evaluator, "_principal_keys", _principal_keys)
    wrap_function(cognito, "_get_credentials_for_identity", _get_credentials)


def _principal_keys(original: Any, credential: Any) -> dict[str, Any]:
    """Return the condition keys of credentials, with those of the identity if Cognito issued the credentials."""
    session = get_private(sts, "_sessions").get(credential.access_key_id) or {}
    keys: dict[str, Any] = original(credential)
    if not session.get("_identity_id"):
        return keys
    return keys | _identity_keys(session["_identity_id"], session["_identity_pool_id"], list(session["_cognito_amr"]))


def _get_credentials(original: Any, data: Mapping[str, Any]) -> Any:
    """Answer a `GetCredentialsForIdentity` request with the content `data`."""
    error_response = get_private(responses, "error_response_json")
    identity = data.get("IdentityId", "")
    pools = get_private(cognito, "_identity_pools").values()
    pool = next((candidate for candidate in pools if identity in candidate["_identities"]), None)
    if pool is None:
        return error_response("ResourceNotFoundException", f"Identity '{identity}' not found.", 400)
    kind = "authenticated" if data.get("Logins") else "unauthenticated"
    keys = _identity_keys(identity, pool["IdentityPoolId"], [kind])
    if not role_trusts(pool["_roles"].get(kind, ""), COGNITO, keys, "sts:AssumeRoleWithWebIdentity"):
        message = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
        return error_response("InvalidIdentityPoolConfigurationException", message, 400)
    return original(data)


def _identity_keys(identity: str, pool: str, kinds: list[str]) -> dict[str, Any]:
    """Return Cognito's condition keys. `kinds` contains `authenticated` or `unauthenticated`."""
    return {f"{COGNITO}:sub": identity, f"{COGNITO}:aud": pool, f"{COGNITO}:amr": kinds}
