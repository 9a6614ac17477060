"""The OpenAPI documents of the two REST APIs, livestream and meetings, for their users.

`make schema` writes them to docs/reference. The Lambda function `auth-exchange` performs all operations of meetings' API.
"""

from components.blocks.openapi import TOKEN_SCHEME, Document, public_document
from handlers.livestream.episodes.routes import OPERATIONS as LIVESTREAM
from handlers.meetings.auth_exchange.api import OPERATIONS as MEETINGS


def _describe_access(section: str, owned_items: str) -> Document:
    """Return the arguments of `public_document` about the server and the authentication of an API.

    `section` is the API's section of the stack output `frontend`. `owned_items` names the items of a caller in the text.
    """
    url = {
        "default": "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api",
        "description": "The URL of the API. `make outputs` writes the URL of the local platform.",
    }
    server = {
        "url": "{apiUrl}",
        "description": f"A stack of Polyphony. The URL is `frontend.{section}.apiUrl` of the stack's outputs.",
        "variables": {"apiUrl": url},
    }
    token = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"Token of the identity provider. Each caller sees only their own {owned_items}.",
    }
    return {"servers": [server], "security_schemes": {TOKEN_SCHEME: token}}


def livestream_document() -> Document:
    return public_document(
        "Polyphony: livestream",
        "1",
        LIVESTREAM,
        description=(
            "Episodes with videos and transcripts; docs/livestream.md describes the API. "
            "`frontend.livestream.authorizer` of the stack's outputs names the authentication that a stack uses: `jwt` "
            "or `none`. docs/reference/errors.md explains the error codes."
        ),
        security=[{TOKEN_SCHEME: []}, {}],  # a token, or nothing in a stack without authentication
        **_describe_access("livestream", "episodes"),
    )


def meetings_document() -> Document:
    return public_document(
        "Polyphony: meetings",
        "1",
        MEETINGS,
        description=(
            "Access to the caller's own meetings; docs/meetings.md describes the API. Every request has a token of the "
            "identity provider: `exchangeToken` in its body, the others in the header `Authorization`. "
            "docs/reference/errors.md explains the error codes."
        ),
        security=[{}],  # nothing, because the operations with the header `Authorization` state it themselves
        **_describe_access("meetings", "meetings"),
    )
