"""Parts that many states of the recording workflow share: JSONata expressions that read the execution's input, a
timeout, and a Catch block.
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
"""Part of a state's input that names the recording. `content` is a hash of the recording's uploaded files."""
STEP_INPUT = {**RECORDING, "attempt": f"{{% {INPUT}.attempt %}}"}
"""Input of each call of the function `steps`: the recording, and the attempt, which is the number of the execution."""
RECORDING_NAME = f"{INPUT}.user & '-' & {INPUT}.meetingId & '-' & {INPUT}.content"
"""JSONata expression of the recording's name in the names of jobs: `<user>-<meeting id>-<content>`. It contains the
user, because two users may have the same meeting id."""
CALL_SECONDS = 60
"""Timeout of one call to an AWS service."""


def catch_failure(to: str, *errors: str, assign: Mapping[str, str] | None = None) -> Catch:
    """Return a Catch block for some errors, or for all errors if none is given.

    It stores only the error's name in `$error`, because the cause may contain customer data.
    """
    variables = {"error": "{% $states.errorOutput.Error %}", **(assign or {})}
    return catch(to, errors or ("States.ALL",), variables)
