"""Environment variables that two Lambda functions of the meetings backend share: `start`, which processes upload events,
and `steps`, which the Step Functions workflow calls.
"""

from handlers.common.environment import HandlerEnvironment


class MeetingsEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    state_machine_arn: str
