"""What the authorizer reads from its environment."""

from handlers.common.environment import HandlerEnvironment


class AuthorizerEnvironment(HandlerEnvironment):
    """The identity provider whose tokens count."""

    issuer: str
    audience: str
    jwks_url: str
