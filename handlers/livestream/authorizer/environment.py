"""Environment of the function `authorizer`, which checks the tokens of API requests."""

from handlers.common.environment import HandlerEnvironment


class AuthorizerEnvironment(HandlerEnvironment):
    """Identity provider whose tokens the authorizer accepts."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """URL of the provider's signing keys. Only a stack for the local platform leaves it out: the platform then adds the
    variable, with the URL of the local identity provider.
    """
