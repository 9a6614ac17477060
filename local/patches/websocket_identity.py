"""Who signed a handshake, as a `$connect` event says it in `requestContext.identity`.

On AWS the fields are there in every `$connect` event, filled where API Gateway has checked a signature and null where
it has not: whoever merely puts somebody's access key into the query string is nobody.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services import apigateway_v1

from local.patches import reached

FIELDS = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)
CHECKED = "AWS_IAM"


def signer(route: Mapping[str, Any], headers: Mapping[str, str], query: Mapping[str, Any] | None) -> dict[str, Any]:
    """The identity of whoever signed; the emulator has checked the signature before a function is called."""
    found: Mapping[str, Any] = {}
    if route.get("authorizationType") == CHECKED:
        found = reached(apigateway_v1, "_iam_caller_identity")(headers, query) or {}
    return {name: found.get(name) for name in FIELDS}
