"""Deployment plan: the changes that `pulumi preview` announces for a stack, as text that is the same for equal plans.

The workflow `stack.yml` writes the plan before the reviewers approve a deployment, and again before it deploys. It stops if
the two texts differ. A line shows the operation, the resource and the changed properties. Its fingerprint covers the inputs
and options of the resource before and after the change. So the plan also differs if a changed resource is no longer in the
state that the reviewers saw.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from local import ROOT, CannotRun

UNCHANGED = "same"
"""Operation on a resource that stays as it is. The CLI lists only the stack itself with this operation."""
VOLATILE_FIELDS = frozenset({"created", "modified", "outputs", "sourcePosition", "stackTrace"})
"""Fields of a resource's state that depend on the machine, or are no part of what the program requests."""
DEFAULTS = "__defaults"
"""Key of the names of the properties that the AWS provider chose itself. Some of the values are random names."""


def command(stack: str) -> int:
    """Print the plan of a stack, which needs the Pulumi CLI and access to the stack's state; return the exit status."""
    print("\n".join(list_changes(_preview(stack))))
    return 0


def list_changes(preview: Mapping[str, Any]) -> list[str]:
    """Return one line for each change, in an order that does not depend on the engine's."""
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
    """Return a short hash of everything that the preview knows of a change. Secrets are not part of a preview."""
    known = {
        **_sort_names(step),
        "oldState": _normalize_state(step.get("oldState")),
        "newState": _normalize_state(step.get("newState")),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _normalize_state(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a resource's inputs and options, without the inputs whose changes the program ignores.

    It ignores, for example, changes of the layer's archive, because two builds may differ in bytes.
    """
    if state is None:
        return {}
    ignored = set(state.get("ignoreChanges", ()))
    inputs = _drop_defaults(state.get("inputs", {}))
    options = {name: value for name, value in state.items() if name not in VOLATILE_FIELDS}
    return {
        **_sort_names(options),
        "inputs": {name: value for name, value in inputs.items() if name not in ignored},
    }


def _sort_names(value: Any) -> Any:
    """Return a value in which lists of names, for example of dependencies, are sorted. The engine's order is random."""
    if isinstance(value, dict):
        return {key: _sort_names(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value


def _drop_defaults(value: Any) -> Any:
    """Return an input without the properties that the provider chose."""
    if isinstance(value, dict):
        chosen = {DEFAULTS, *value.get(DEFAULTS, ())}
        return {key: _drop_defaults(item) for key, item in value.items() if key not in chosen}
    if isinstance(value, list):
        return [_drop_defaults(item) for item in value]
    return value


def _preview(stack: str) -> dict[str, Any]:
    """Return the document of `pulumi preview --json`. Raise CannotRun with its errors if the preview fails."""
    program = shutil.which("pulumi")
    if program is None:
        raise CannotRun("The Pulumi CLI is not on the PATH. Install it: https://www.pulumi.com/docs/install/")
    options = ("--stack", stack, "--policy-pack", "policies", "--non-interactive", "--json")
    process = subprocess.run([program, "preview", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    document = _parse(process.stdout)
    if process.returncode != 0 or "changeSummary" not in document:
        errors = [entry["message"].strip() for entry in document.get("diagnostics", ()) if entry["severity"] == "error"]
        hint = "If it does not name the cause, run the preview without --json, which also shows policy findings."
        lines = [f"`pulumi preview --json` of the stack {stack} failed.", *errors, process.stderr.strip(), hint]
        raise CannotRun("\n".join(line for line in lines if line))
    return document


def _parse(text: str) -> dict[str, Any]:
    """Return a JSON object, or an empty one for a text that is none, for example if the CLI cannot log in."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
