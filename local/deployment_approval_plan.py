"""Text of the changes that `pulumi preview` announces for a stack, which reviewers approve before a deployment.

The GitHub workflow `stack.yml` writes this text (the plan) for the reviewers, and again before it deploys. If the two
texts differ, the workflow stops, because the deployment would make changes that nobody approved. So equal changes must
result in equal texts.

Each change has a line with the operation, the resource, the changed properties and a fingerprint. The fingerprint is a
hash of the whole change, so a different value changes the text, too.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from local import ROOT, CannotRun

VOLATILE_FIELDS = ("created", "modified", "outputs", "sourcePosition", "stackTrace")
"""Fields of a resource's state that the program does not request, or that depend on the machine of the preview."""
DEFAULTS = "__defaults"
"""Key under which the inputs list the properties that the AWS provider chose, because the program does not give them.
Some of the values are random, for example generated names."""


def command(stack: str) -> int:
    """Print the plan of a stack; return the exit status. This needs the Pulumi CLI and access to the stack's state."""
    print("\n".join(list_changes(_preview(stack))))
    return 0


def list_changes(preview: Mapping[str, Any]) -> list[str]:
    """Return a line with the number of changes, and then a line for each change. `preview` is the CLI's JSON document.

    The changes are sorted, because the order in which Pulumi's engine lists them varies.
    """
    changes = sorted(_describe(step) for step in preview.get("steps", ()) if step["op"] != "same")
    return [f"{len(changes)} changes", *changes]


def _describe(step: Mapping[str, Any]) -> str:
    """Return the line of one change."""
    type_chain, name = step["urn"].split("::", 3)[2:]
    line = f"{step['op']} {type_chain.rpartition('$')[2]} {name}"
    changed_properties = {*(step.get("detailedDiff") or ()), *step.get("diffReasons", ())}
    for text, properties in (("changes", changed_properties), ("replaced because of", step.get("replaceReasons"))):
        if properties:
            line += f"; {text} {', '.join(sorted(properties))}"
    return f"{line}; {_fingerprint(step)}"


def _fingerprint(step: Mapping[str, Any]) -> str:
    """Return a short hash of a change, without `VOLATILE_FIELDS` and without the properties that the provider chose.

    The hash also excludes the inputs whose changes the program ignores (`ignore_changes`). An example is the archive of the
    Lambda layer, because two builds of the same packages may differ in bytes. A preview does not contain the values of
    secrets, so the hash cannot reveal them.
    """
    change = _normalize(step)
    for state in (change.get("oldState") or {}, change.get("newState") or {}):
        for field in VOLATILE_FIELDS:
            state.pop(field, None)
        for name in state.get("ignoreChanges", ()):
            state.get("inputs", {}).pop(name, None)
    return hashlib.sha256(json.dumps(change, sort_keys=True).encode()).hexdigest()[:16]


def _normalize(value: Any, *, sort: bool = True) -> Any:
    """Return a value without the properties that the provider chose, at any depth.

    With `sort`, each list of texts outside of a resource's inputs is sorted, for example its dependencies, because the
    order of such a list varies.
    """
    if isinstance(value, dict):
        dropped = {DEFAULTS, *value.get(DEFAULTS, ())}
        return {
            name: _normalize(item, sort=sort and name != "inputs")
            for name, item in value.items()
            if name not in dropped
        }
    if isinstance(value, list):
        items = [_normalize(item, sort=sort) for item in value]
        return sorted(items) if sort and all(isinstance(item, str) for item in items) else items
    return value


def _preview(stack: str) -> dict[str, Any]:
    """Run `pulumi preview --json` and return its document. Raise CannotRun with the errors if the preview fails."""
    program = shutil.which("pulumi")
    if program is None:
        raise CannotRun("The Pulumi CLI is not on the PATH. Install it: https://www.pulumi.com/docs/install/")
    options = ("--stack", stack, "--policy-pack", "policies", "--non-interactive", "--json")
    process = subprocess.run([program, "preview", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        document: dict[str, Any] = json.loads(process.stdout)
    except ValueError:  # for example because the CLI cannot log in
        document = {}
    if process.returncode != 0 or "changeSummary" not in document:
        errors = [entry["message"].strip() for entry in document.get("diagnostics", ()) if entry["severity"] == "error"]
        hint = "If this output does not name the cause, run the preview without --json: it then shows policy findings, too."
        lines = [f"`pulumi preview --json` of the stack {stack} failed.", *errors, process.stderr.strip(), hint]
        raise CannotRun("\n".join(line for line in lines if line))
    return document
