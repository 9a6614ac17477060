"""What every state of the workflow knows of the execution that it is of, in JSONata; and how failures are passed on."""

from collections.abc import Mapping

from components.blocks.workflow.state_definitions import Catch, catch

INPUT = "$states.context.Execution.Input"
RECORDING = {
    "user": f"{{% {INPUT}.user %}}",
    "meetingId": f"{{% {INPUT}.meetingId %}}",
    "content": f"{{% {INPUT}.content %}}",
}
"""Which recording it is about."""
STEP_INPUT = {**RECORDING, "attempt": f"{{% {INPUT}.attempt %}}"}
"""What each step is told of the execution that it is of."""
JOB_NAME_PARTS = f"{INPUT}.user & '-' & {INPUT}.meetingId & '-' & {INPUT}.content"
"""The recording in the name of a job: no other user's has it, whatever he calls his meeting."""
CALL_SECONDS = 60
"""What one call of a service may take."""


def catch_failure(to: str, *errors: str, assign: Mapping[str, str] | None = None) -> Catch:
    """These failures, or whatever else fails; the error's name alone is kept, since a cause can repeat data."""
    kept = {"error": "{% $states.errorOutput.Error %}", **(assign or {})}
    return catch(to, errors or ("States.ALL",), kept)
