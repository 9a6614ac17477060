"""x."""

from handlers.common.environment import HandlerEnvironment


class SweepEnvironment(HandlerEnvironment):
    """x."""

    table_name: str
    bucket_name: str
    state_machine_arn: str
    processing_minutes: int
    incomplete_days: int
