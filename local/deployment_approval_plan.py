"""Text of the changes that `pulumi preview` announces for a stack, which reviewers approve before a deployment.

The GitHub workflow `stack.yml` writes this text (the plan) for the reviewers, and again before it deploys. If the two
texts differ, the workflow stops, because the deployment would make changes that nobody approved. So equal changes must
result in equal texts.

Each change has a line with the operation, the resource, the changed properties and a fingerprint. The fingerprint is a
hash of the resource's inputs and options before and after the change, so a different value changes the text, too.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from local import ROOT, CannotRun

UNCHANGED = "same"
"""Operation on a resource that stays as it is."""
VOLATILE_FIELDS = frozenset({"created", "modified", "outputs", "sourcePosition", "stackTrace"})
"""Fields of a resource's state that the program does not request, or that depend on the machine of the preview."""
DEFAULTS = "__defaults"
"""Key under which the inputs list the properties that the AWS provider chose, because the program does not give them.
Some of the values are random, for example generated names."""


def command(stack: str) -> int:
    """Print the plan of a stack; return the exit status. This needs the Pulumi CLI and access to the stack's state."""
    print("\n".join(list_changes(_preview(stack))))
    return 0


def list_changes(preview: Mapping[str, Any]) -> list[str]:
    """Return a line with the number of changes, and then a line for each change.

    The changes are sorted, because the order in which Pulumi's engine lists them varies.
    """
    changes = sorted(_describe(step) for step in preview.get("steps", ()) if step["op"] != UNCHANGED)
    return [f"{len(changes)} changes", *changes]


def _describe(step: Mapping[str, Any]) -> str:
    """Return the line of one change."""
    type_chain, name = step["urn"].split("::", 3)[2:]
    changed_properties = sorted({*(step.get("detailedDiff") or ()), *step.get("diffReasons", ())})
    replacing_properties = sorted(step.get("replaceReasons", ()))
    parts = [
        f"{step['op']} {type_chain.rpartition('$')[2]} {name}",
        *([f"changes {', '.join(changed_properties)}"] if changed_properties else []),
        *([f"replaced because of {', '.join(replacing_properties)}"] if replacing_properties else []),
        _fingerprint(step),
    ]
    return "; ".join(parts)


def _fingerprint(step: Mapping[str, Any]) -> str:
    """Return a short hash of a change, without `VOLATILE_FIELDS` and without the properties that the provider chose.

    A preview does not contain the values of secrets, so the hash cannot reveal them.
    """
    known = {
        **_sort_text_lists(step),
        "oldState": _normalize_state(step.get("oldState")),
        "newState": _normalize_state(step.get("newState")),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _normalize_state(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a resource's inputs and options, without the inputs whose changes the program ignores (`ignore_changes`).

    An example is the archive of the Lambda layer, because two builds of the same packages may differ in bytes.
    """
    if state is None:
        return {}
    ignored = set(state.get("ignoreChanges", ()))
    inputs = _drop_defaults(state.get("inputs", {}))
    options = {name: value for name, value in state.items() if name not in VOLATILE_FIELDS}
    return {
        **_sort_text_lists(options),
        "inputs": {name: value for name, value in inputs.items() if name not in ignored},
    }


def _sort_text_lists(value: Any) -> Any:
    """Return a value in which each list of texts, for example of dependencies, is sorted, because its order varies."""
    if isinstance(value, dict):
        return {key: _sort_text_lists(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value


def _drop_defaults(value: Any) -> Any:
    """Return a value without the properties that the provider chose, at any depth."""
    if isinstance(value, dict):
        chosen = {DEFAULTS, *value.get(DEFAULTS, ())}
        return {key: _drop_defaults(item) for key, item in value.items() if key not in chosen}
    if isinstance(value, list):
        return [_drop_defaults(item) for item in value]
    return value


def _preview(stack: str) -> dict[str, Any]:
    """Run `pulumi preview --json` and return its document. Raise CannotRun with the errors if the preview fails."""
    program = shutil.which("pulumi")
    if program is None:
        raise CannotRun("The Pulumi CLI is not on the PATH. Install it: https://www.pulumi.com/docs/install/")
    options = ("--stack", stack, "--policy-pack", "policies", "--non-interactive", "--json")
    process = subprocess.run([program, "preview", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    document = _parse(process.stdout)
    if process.returncode != 0 or "changeSummary" not in document:
        errors = [entry["message"].strip() for entry in document.get("diagnostics", ()) if entry["severity"] == "error"]
        hint = "If this output does not name the cause, run the preview without --json: it then shows policy findings, too."
        lines = [f"`pulumi preview --json` of the stack {stack} failed.", *errors, process.stderr.strip(), hint]
        raise CannotRun("\n".join(line for line in lines if line))
    return document


def _parse(text: str) -> dict[str, Any]:
    """Return the JSON object in a text, or an empty one if there is none, for example because the CLI cannot log in."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
