"""JSONata expressions with which the states of the recording workflow read the execution's input. The module also has
the timeout and the Catch block that many of these states share.
"""

from collections.abc import Mapping

from components.blocks.workflow.state_definitions import Catch, catch

INPUT = "$states.context.Execution.Input"
"""JSONata expression of the execution's input."""
RECORDING = {
    "user": f"{{% {INPUT}.user %}}",
    "meetingId": f"{{% {INPUT}.meetingId %}}",
    "content": f"{{% {INPUT}.content %}}",
}
"""State input that names the execution's recording."""
STEP_INPUT = {**RECORDING, "attempt": f"{{% {INPUT}.attempt %}}"}
"""Input that every step receives: the recording and the attempt."""
JOB_NAME_PARTS = f"{INPUT}.user & '-' & {INPUT}.meetingId & '-' & {INPUT}.content"
"""JSONata expression of the recording, as part of a job's name. It contains the user, because two users may have the
same meeting id."""
CALL_SECONDS = 60
"""Timeout of one service call."""


def catch_failure(to: str, *errors: str, assign: Mapping[str, str] | None = None) -> Catch:
    """Return a Catch block for some errors, or for all. It keeps only the error's name, because the cause may contain
    customer data.
    """
    variables = {"error": "{% $states.errorOutput.Error %}", **(assign or {})}
    return catch(to, errors or ("States.ALL",), variables)
