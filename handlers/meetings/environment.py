"""Environment variables that several Lambda functions of the meetings backend share: `start`, which processes upload
events, `steps`, which the workflow calls, and the scheduled functions `sweep` and `storage`.
"""

from handlers.common.environment import HandlerEnvironment


class MeetingsEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    state_machine_arn: str
