"""State file of the local platform (`.local/state.json`), with one entry for each resource that `make up` has deployed.

The next run compares the entries with the program, to find the changed resources. An entry contains salted hashes of
the inputs, because an input may be a secret. It also contains the calls that delete the resource, because the program
may no longer contain the resource. Every change replaces the file atomically, so it is complete even if a run is killed.
"""

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from local import ROOT, CannotRun
from local.drivers.model import DeletionCall
from local.platform.emulator import Emulator
from local.property_values import UNKNOWN, Archive, Asset, Props, Secret, convert_items

SCHEMA = 1
"""Version of the file's format."""
NO_HASH = ""
"""Text in place of an input's hash while an update changes the input (`ResourceEntry.inputs`)."""


class StateError(CannotRun):
    """The state file exists but cannot be used."""


class ResourceStatus(StrEnum):
    """Stage of a resource's creation or deletion."""

    MAKING = "making"
    """The creation has started. If the run is killed, the file keeps this status, and the resource may exist in part."""
    MADE = "made"
    """The creation is complete. An update keeps this status, even if it fails."""
    BROKEN = "broken"
    """The creation or the deletion failed half-way. The next run deletes the resource, or replaces it."""
    DELETING = "deleting"
    """The deletion has started. If the run is killed, the file keeps this status, and the resource may exist in part."""


@dataclass(frozen=True)
class ResourceEntry:
    """The last known state of one resource."""

    type: str
    """Type in Pulumi, for example `aws:s3/bucket:Bucket`."""
    status: ResourceStatus
    inputs: Mapping[str, str]
    """Hash of each input, or `NO_HASH` while an update changes the input. After a failed update, `NO_HASH` remains. It
    equals no hash, so the next run sets the input again."""
    id: str = ""
    """Physical id, or an empty text before the resource is created."""
    outputs: Props = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    """URNs of the resources that had to exist before this one. They are deleted after it."""
    made_of: tuple[str, ...] = ()
    """URNs of the resources whose outputs this one has as inputs. If one of them is replaced, this resource is
    replaced, too."""
    deletion: tuple[DeletionCall, ...] = ()
    """Calls that delete the resource, in this order."""
    emptied: bool = False
    """True if a deletion of the resource first deletes its content, such as a bucket's objects."""


class PlatformState:
    """Content of the state file of one emulator. Several threads may use it. Every change is written at once."""

    def __init__(
        self,
        path: Path,
        instance: str,
        salt: str,
        entries: dict[str, ResourceEntry],
        outputs: Props | None = None,
        *,
        removal_started: bool = False,
    ) -> None:
        """Create the state in memory. `instance` names the emulator by process id and port, for example `4711:4566`."""
        self._path = path
        self._outputs = outputs or {}
        self._removal_started = removal_started
        self._instance = instance
        self._salt = salt
        self._entries = entries
        self._texts = {urn: _to_json(entry) for urn, entry in entries.items()}
        """JSON texts of the entries. A change writes all of them, but renders only one."""
        self._lock = threading.Lock()

    @classmethod
    def empty(cls, path: Path, instance: str) -> "PlatformState":
        """Return the state of an emulator without resources. Nothing is written yet."""
        return cls(path, instance, secrets.token_hex(16), {})

    @classmethod
    def read(cls, path: Path, instance: str) -> "PlatformState":
        """Return the state of a running emulator. It is empty if the file is missing or belongs to another emulator.

        Raise StateError if the file has another format.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls.empty(path, instance)
        try:
            content = json.loads(text)
            schema = content["schemaVersion"]
            if schema != SCHEMA:
                raise StateError(
                    f"{path.name} has schema version {schema}, but this program needs {SCHEMA}: "
                    "`make down` stops the emulator and removes the file, then `make up` starts a new platform"
                )
            if content["instance"] != instance:
                return cls.empty(path, instance)
            entries = {urn: _from_json(fields) for urn, fields in content["resources"].items()}
            removal_started = content.get("removalStarted", False)  # a file of an earlier version lacks it
            return cls(path, instance, content["salt"], entries, content["outputs"], removal_started=removal_started)
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{path.name} cannot be read ({type(error).__name__}: {error}): run `make down`, then `make up`"
            ) from error

    @staticmethod
    def remove(path: Path) -> None:
        """Remove the file, and a partly written one that a killed run may have left."""
        for file in (_partial_path(path), path):
            file.unlink(missing_ok=True)

    @property
    def was_interrupted(self) -> bool:
        """True if a run was killed while it created or deleted a resource, or during `make down`."""
        unknown = {ResourceStatus.MAKING, ResourceStatus.DELETING}
        return self._removal_started or any(entry.status in unknown for entry in self._entries.values())

    def start_removal(self) -> None:
        """Save that the deletion of all resources has started. Remove the stack's outputs, which name resources."""
        with self._lock:
            self._removal_started, self._outputs = True, {}
            self._write()

    def entries(self) -> dict[str, ResourceEntry]:
        """Return all entries by URN, in the order of their creation."""
        with self._lock:
            return dict(self._entries)

    def get(self, urn: str) -> ResourceEntry | None:
        """Return the entry of a resource, or None."""
        with self._lock:
            return self._entries.get(urn)

    def put(self, urn: str, entry: ResourceEntry) -> None:
        """Save the entry of a resource."""
        with self._lock:
            self._entries[urn], self._texts[urn] = entry, _to_json(entry)
            self._write()

    def drop(self, urn: str) -> None:
        """Remove the entry of a deleted resource."""
        with self._lock:
            if self._entries.pop(urn, None) is not None:
                del self._texts[urn]
                self._write()

    @property
    def outputs(self) -> Props:
        """The stack's outputs after the last complete run."""
        return self._outputs

    def save_outputs(self, outputs: Props) -> None:
        """Save the stack's outputs. The caller has removed secrets."""
        with self._lock:
            self._outputs = outputs
            self._write()

    def hash_inputs(self, inputs: Props) -> dict[str, str]:
        """Return the salted hash of each input. An archive or asset is hashed by its content.

        The hash of an unknown value is random, so the input always counts as changed.
        """
        return {name: self._hash(_hashable(value)) for name, value in inputs.items()}

    def hash_archive(self, content: bytes) -> str:
        """Return the hash of an input that is an archive whose file has this content."""
        return self._hash(_hashable_archive(content))

    def deletion_order(self, urns: set[str]) -> list[str]:
        """Return the given resources in the order of deletion: each before the resources that it depends on."""
        entries = self.entries()
        ordered: list[str] = []
        visited: set[str] = set()

        def visit(urn: str) -> None:
            if urn in visited or urn not in entries:
                return
            visited.add(urn)
            for item in entries[urn].depends_on:
                visit(item)
            ordered.append(urn)

        for urn in entries:
            visit(urn)
        return [urn for urn in reversed(ordered) if urn in urns]

    def find_dependants(self, urn: str) -> set[str]:
        """Return the resources whose inputs refer to a resource, directly or through others."""
        dependants: set[str] = set()
        entries = self.entries()
        while next_dependants := {
            other
            for other, entry in entries.items()
            if other not in dependants and {urn, *dependants} & set(entry.made_of)
        }:
            dependants |= next_dependants
        return dependants

    def _hash(self, hashable: Any) -> str:
        return hashlib.sha256(f"{self._salt}{json.dumps(hashable, sort_keys=True)}".encode()).hexdigest()

    def _write(self) -> None:
        header = {
            "schemaVersion": SCHEMA,
            "instance": self._instance,
            "salt": self._salt,
            "outputs": self._outputs,
            "removalStarted": self._removal_started,
        }
        resources = ",\n".join(f"{json.dumps(urn)}: {text}" for urn, text in self._texts.items())
        partial = _partial_path(self._path)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f'{json.dumps(header)[:-1]}, "resources": {{\n{resources}\n}}}}\n')
        partial.replace(self._path)


def open_state(running: Emulator) -> PlatformState:
    """Return the state of a running emulator."""
    return PlatformState.read(state_file(running.folder), f"{running.pid}:{running.port}")


def state_file(folder: Path) -> Path:
    """Return the path of the state file in a platform's folder."""
    return folder / "state.json"


def _partial_path(path: Path) -> Path:
    """Return the path of the file that replaces the state file when it is complete."""
    return path.with_suffix(".partial")


def _to_json(entry: ResourceEntry) -> str:
    return json.dumps(asdict(entry))


def _from_json(fields: Mapping[str, Any]) -> ResourceEntry:
    return ResourceEntry(
        **{
            **fields,
            "status": ResourceStatus(fields["status"]),
            "depends_on": tuple(fields["depends_on"]),
            "made_of": tuple(fields["made_of"]),
            "deletion": tuple(DeletionCall(**call) for call in fields["deletion"]),
        }
    )


def _hashable_archive(content: bytes) -> dict[str, str]:
    return {"archive": hashlib.sha256(content).hexdigest()}


def _hashable(value: Any) -> Any:
    match value:
        case Secret():
            return {"secret": _hashable(value.value)}
        case Asset(path=None, text=None) | Archive(path=None, entries=None):
            return {"hash": value.hash}
        case Archive(path=None):
            return {"archive": [[name, _hashable(entry)] for name, entry in value.entries or ()]}
        case Archive():
            return _hashable_archive((ROOT / str(value.path)).read_bytes())
        case Asset():
            return {"asset": hashlib.sha256(value.read()).hexdigest()}
    return secrets.token_hex(16) if value is UNKNOWN else convert_items(value, _hashable)
