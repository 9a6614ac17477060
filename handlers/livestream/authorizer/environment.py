"""Environment of the function `authorizer`."""

from handlers.common.environment import HandlerEnvironment


class AuthorizerEnvironment(HandlerEnvironment):
    """Identity provider whose tokens the authorizer accepts."""

    issuer: str
    audience: str
    jwks_url: str
