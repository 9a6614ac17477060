"""x."""

from handlers.common.environment import HandlerEnvironment


class StepsEnvironment(HandlerEnvironment):
    """x."""

    table_name: str
    bucket_name: str
    stack: str
