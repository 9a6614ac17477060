"""The OpenAPI documents of the two REST APIs, livestream and meetings, for their users."""

from components.blocks.openapi import TOKEN_SCHEME, Document, public_document
from handlers.livestream.episodes.routes import OPERATIONS as LIVESTREAM
from handlers.meetings.auth_exchange.api import OPERATIONS as MEETINGS


def _describe_servers(section: str) -> list[Document]:
    """Return one server, whose URL is a variable, because each stack has its own URL. `section` is a part of the output
    `frontend`.
    """
    return [
        {
            "url": "{apiUrl}",
            "description": f"A stack of Polyphony. The URL is `frontend.{section}.apiUrl` of the stack's outputs.",
            "variables": {
                "apiUrl": {
                    "default": "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api",
                    "description": f"`frontend.{section}.apiUrl`; `make outputs` writes the URL of the local platform.",
                }
            },
        }
    ]


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
        servers=_describe_servers("livestream"),
        security=[{TOKEN_SCHEME: []}, {}],
        security_schemes={
            TOKEN_SCHEME: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Token of the identity provider. Each caller sees only their own episodes.",
            },
        },
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
        servers=_describe_servers("meetings"),
        security=[{}],
        security_schemes={
            TOKEN_SCHEME: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Token of the identity provider. Each caller sees only their own meetings.",
            },
        },
    )
