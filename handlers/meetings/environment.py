"""Environment variables that several Lambda functions of the meetings backend share: `start`, which processes upload
events, `steps`, which the Step Functions workflow calls, and two scheduled functions. `sweep` checks meetings that make
no progress, and `storage` counts each user's bytes.
"""

from handlers.common.environment import HandlerEnvironment


class MeetingsEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    state_machine_arn: str
