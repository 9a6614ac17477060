"""Environment variables that the functions `start`, `steps`, `sweep` and `storage` share."""

from handlers.common.environment import HandlerEnvironment


class MeetingsEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    state_machine_arn: str
