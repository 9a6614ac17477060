"""The command `make preview`, which prints the resources, results of all checks, cost and outputs of a stack."""

import json
from dataclasses import replace
from pathlib import Path

from local.preview import report, sarif, stack_files
from local.preview.preview import LOCAL_STACK, preview


def command(stack: str, *, as_json: bool, sarif_file: Path | None) -> int:
    """Print the preview for `make preview`. Return 0 if the stack can be deployed, otherwise 1."""
    with report.show_spinner(f"previewing {stack}", quiet=as_json):
        result = preview(stack_files.read_stack(stack))
        if stack == LOCAL_STACK:
            from local.platform import lifecycle  # noqa: PLC0415 - only a preview of the local stack needs it

            steps = lifecycle.plan_update(result.config)
            result = replace(result, changes=tuple((step.action.value, step.urn) for step in steps))
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
    else:
        report.print_preview(result)
    if sarif_file is not None:  # This is last, so the preview is shown even if the file cannot be written.
        sarif_file.write_text(json.dumps(sarif.to_sarif(result), indent=2))
    return 0 if result.deployable else 1
