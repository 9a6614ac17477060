"""x."""

from handlers.common.environment import HandlerEnvironment


class StartEnvironment(HandlerEnvironment):
    """x."""

    table_name: str
    bucket_name: str
    state_machine_arn: str
