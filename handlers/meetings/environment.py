"""What every function that moves meetings on reads from its environment."""

from handlers.common.environment import HandlerEnvironment


class MeetingsEnvironment(HandlerEnvironment):
    """Table, bucket and workflow."""

    table_name: str
    bucket_name: str
    state_machine_arn: str
