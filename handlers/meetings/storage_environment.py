"""x."""

from handlers.common.environment import HandlerEnvironment


class StorageEnvironment(HandlerEnvironment):
    """x."""

    bucket_name: str
    stack: str
    max_users: int
