"""State file of the local platform (`.local/state.json`), with one entry for each resource that `make up` has deployed.

The next run compares the entries with the program, to find the changed resources. A run removes the file when it starts,
and writes it when it ends, also after a failure or Ctrl-C. So if the file is missing, the last run was killed, and it is
unknown what it has deployed. Only an emulator to which the Pulumi CLI deploys (`make provider`) never has the file.

`make push` publishes the code of single functions between two runs, and marks it as `pending` in their entries.
"""

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from local import CannotRun
from local.platform.emulator import Emulator
from local.property_values import Props

FUNCTION_TYPE = "aws:lambda/function:Function"


class StateError(CannotRun):
    """The state file exists but cannot be used."""


@dataclass(frozen=True)
class ResourceEntry:
    """The last known state of one resource."""

    type: str
    """Type in Pulumi, for example `aws:s3/bucket:Bucket`."""
    id: str
    """Physical id. It can be empty if the resource is incomplete."""
    inputs: Props
    """Inputs as JSON, with hashes in place of secrets and files."""
    outputs: Props
    depends_on: tuple[str, ...] = ()
    """URNs of the resources that had to exist before this resource. They are deleted after it."""
    inputs_from: tuple[str, ...] = ()
    """URNs of the resources whose outputs this resource has as inputs. If one of them is replaced, this resource is
    replaced, too."""
    pending: tuple[str, ...] = ()
    """Inputs that the next run sets again, even if they have not changed. An update of them has failed, or `make push`
    has published other code."""
    incomplete: bool = False
    """True if the creation or the deletion failed half-way. The next run deletes the resource, or replaces it."""


@dataclass
class PlatformState:
    """Resources that are deployed to one emulator. In a run, each thread changes only the entries of its own resources."""

    entries: dict[str, ResourceEntry] = field(default_factory=dict)
    """Entries by URN, in the order of the resources' creation."""
    outputs: Props = field(default_factory=dict)
    """The stack's outputs after the last complete run, without secrets."""

    @classmethod
    def read(cls, running: Emulator) -> "PlatformState | None":
        """Return the state of a running emulator, or None if no state file describes it.

        Raise StateError if another version of this program wrote the file.
        """
        try:
            content = json.loads(state_file(running.folder).read_text(encoding="utf-8"))
            if content["pid"] != running.pid:
                return None  # the file describes an earlier emulator
            entries = {urn: _to_entry(fields) for urn, fields in content["resources"].items()}
            return cls(entries, content["outputs"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{state_file(running.folder).name} was written by another version of this program: "
                "`make down` stops the emulator and removes the file, then `make up` starts a new platform"
            ) from error

    def write(self, running: Emulator) -> None:
        """Write the state file. Only its owner may read it."""
        path = state_file(running.folder)
        partial = path.with_suffix(".partial")
        resources = {urn: asdict(entry) for urn, entry in self.entries.items()}
        content = {"pid": running.pid, "outputs": self.outputs, "resources": resources}
        with open(partial, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(content, file, indent=1)
        partial.replace(path)

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove the state file of a platform's folder, and a partly written one that a killed run may have left."""
        for path in (state_file(folder), state_file(folder).with_suffix(".partial")):
            path.unlink(missing_ok=True)

    def deletion_order(self, urns: Collection[str]) -> list[str]:
        """Return the given resources in the order of deletion: each before the resources that it depends on."""
        visited: set[str] = set()

        def visit(urn: str) -> Iterator[str]:
            if urn in visited or urn not in self.entries:
                return
            visited.add(urn)
            for dependency in self.entries[urn].depends_on:
                yield from visit(dependency)
            yield urn

        ordered = [urn for entry in list(self.entries) for urn in visit(entry)]
        return [urn for urn in reversed(ordered) if urn in urns]

    def find_dependants(self, urn: str) -> set[str]:
        """Return the resources whose inputs refer to a resource, directly or through others."""
        dependants: set[str] = set()
        entries = dict(self.entries)  # a copy, because other threads add and remove entries
        while next_dependants := {
            other
            for other, entry in entries.items()
            if other not in dependants and {urn, *dependants} & set(entry.inputs_from)
        }:
            dependants |= next_dependants
        return dependants


def mark_code_as_pending(running: Emulator, function_name: str) -> None:
    """Let the next `make up` publish the code of a function (its physical name), because a push changes it in between.

    Do nothing without a state file, because the Pulumi CLI, which then deploys, has its own state.
    """
    state = PlatformState.read(running)
    if state is None:
        return
    for urn, entry in state.entries.items():
        if (entry.type, entry.id) == (FUNCTION_TYPE, function_name):
            state.entries[urn] = replace(entry, pending=(*entry.pending, "code"))
    state.write(running)


def state_file(folder: Path) -> Path:
    """Return the path of the state file in a platform's folder."""
    return folder / "state.json"


def _to_entry(fields: Props) -> ResourceEntry:
    texts = {name: tuple(fields[name]) for name in ("depends_on", "inputs_from", "pending")}
    return ResourceEntry(**{**fields, **texts})
