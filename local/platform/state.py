"""What is deployed to the running emulator: one entry a resource, in `.local/state.json`.

Inputs are kept as salted hashes only, so that no secret is in it, archives as hashes of their content. What it takes
to remove a resource is kept in full, because the program may no longer know it. The file is written anew, atomically,
after every change, so a run may be killed at any point.
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
from local.preview.property_values import UNKNOWN, Archive, Props, Secret

SCHEMA = 1


class StateError(CannotRun):
    """The file is there and cannot be used."""


class ResourceStatus(StrEnum):
    """How far a resource got."""

    MAKING = "making"
    """Its creation was begun. Found in a file, it means that the run was killed: nobody knows what exists."""
    MADE = "made"
    BROKEN = "broken"
    """A part of its creation failed: it is deleted and made again."""


@dataclass(frozen=True)
class DeletionCall:
    """One call that removes a resource."""

    service: str
    operation: str
    params: Props


@dataclass(frozen=True)
class ResourceEntry:
    """One resource as it was last made."""

    type: str
    status: ResourceStatus
    inputs: Mapping[str, str]
    """Property → hash."""
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    """Property that is a map → its keys, without their values: what was removed must be told to services that add."""
    id: str = ""
    outputs: Props = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    """URNs of everything that it was made after."""
    made_of: tuple[str, ...] = ()
    """URNs of what its properties come from: if one of them is replaced, so is this."""
    deletion: tuple[DeletionCall, ...] = ()
    emptied: bool = False
    """Whether its content is deleted with it."""


class PlatformState:
    """All entries of one emulator. Used from several threads."""

    def __init__(
        self, path: Path, instance: str, salt: str, entries: dict[str, ResourceEntry], outputs: Props | None = None
    ) -> None:
        self._path = path
        self._outputs = outputs or {}
        self._instance = instance
        self._salt = salt
        self._entries = entries
        self._texts = {urn: _text(entry) for urn, entry in entries.items()}
        """The same as they are written: made once each, since all are written whenever one changes."""
        self._lock = threading.Lock()

    @classmethod
    def empty(cls, path: Path, instance: str) -> "PlatformState":
        """The state of an emulator that has just started; nothing is written yet."""
        return cls(path, instance, secrets.token_hex(16), {})

    @classmethod
    def read(cls, path: Path, instance: str) -> "PlatformState":
        """The state of a running emulator; empty where the file is missing or speaks of another one."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls.empty(path, instance)
        try:
            known = json.loads(text)
            schema = known["schemaVersion"]
            if schema != SCHEMA:
                raise StateError(
                    f"{path.name} has schema version {schema}, this program writes {SCHEMA}: "
                    "`make down` stops the emulator and removes the file, then `make up` starts anew"
                )
            if known["instance"] != instance:
                return cls.empty(path, instance)
            entries = {urn: _entry(one) for urn, one in known["resources"].items()}
            return cls(path, instance, known["salt"], entries, known["outputs"])
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{path.name} cannot be read ({type(error).__name__}: {error}): `make down`, then `make up`, starts anew"
            ) from error

    @property
    def interrupted(self) -> bool:
        """Whether a run was killed while it made something."""
        return any(entry.status is ResourceStatus.MAKING for entry in self._entries.values())

    def entries(self) -> dict[str, ResourceEntry]:
        """Every entry by URN, in the order in which they were made."""
        with self._lock:
            return dict(self._entries)

    def get(self, urn: str) -> ResourceEntry | None:
        """What is known of one resource."""
        with self._lock:
            return self._entries.get(urn)

    def put(self, urn: str, entry: ResourceEntry) -> None:
        """Records a resource."""
        with self._lock:
            self._entries[urn], self._texts[urn] = entry, _text(entry)
            self._write()

    def drop(self, urn: str) -> None:
        """Forgets a resource that is gone."""
        with self._lock:
            if self._entries.pop(urn, None) is not None:
                del self._texts[urn]
                self._write()

    @property
    def outputs(self) -> Props:
        """The stack's outputs after the last run that came to its end."""
        return self._outputs

    def keep_outputs(self, outputs: Props) -> None:
        """Keeps the stack's outputs, which hold no secret."""
        with self._lock:
            self._outputs = outputs
            self._write()

    def hashes(self, inputs: Props) -> dict[str, str]:
        """Each property as a salted hash. An unknown value equals nothing, not even itself."""
        return {
            name: hashlib.sha256(f"{self._salt}{json.dumps(_hashable(value), sort_keys=True)}".encode()).hexdigest()
            for name, value in inputs.items()
        }

    def deletion_order(self, urns: set[str]) -> list[str]:
        """The given resources, each before everything that it was made after."""
        entries = self.entries()
        ordered: list[str] = []
        seen: set[str] = set()

        def visit(urn: str) -> None:
            if urn in seen or urn not in entries:
                return
            seen.add(urn)
            for other in entries[urn].depends_on:
                visit(other)
            ordered.append(urn)

        for urn in entries:
            visit(urn)
        return [urn for urn in reversed(ordered) if urn in urns]

    def find_dependants(self, urn: str) -> set[str]:
        """What was made of a resource, directly or not."""
        found: set[str] = set()
        entries = self.entries()
        while more := {
            other for other, entry in entries.items() if other not in found and {urn, *found} & set(entry.made_of)
        }:
            found |= more
        return found

    def _write(self) -> None:
        about = {"schemaVersion": SCHEMA, "instance": self._instance, "salt": self._salt, "outputs": self._outputs}
        resources = ",\n".join(f"{json.dumps(urn)}: {text}" for urn, text in self._texts.items())
        partial = self._path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f'{json.dumps(about)[:-1]}, "resources": {{\n{resources}\n}}}}\n')
        partial.replace(self._path)


def _text(entry: ResourceEntry) -> str:
    return json.dumps(asdict(entry))


def _entry(known: Mapping[str, Any]) -> ResourceEntry:
    return ResourceEntry(
        **{
            **known,
            "status": ResourceStatus(known["status"]),
            "depends_on": tuple(known["depends_on"]),
            "made_of": tuple(known["made_of"]),
            "deletion": tuple(DeletionCall(**one) for one in known["deletion"]),
        }
    )


def _hashable(value: Any) -> Any:
    match value:
        case Secret():
            return {"secret": _hashable(value.value)}
        case Archive(path=None):
            return {"archive": [list(entry) for entry in value.entries]}
        case Archive():
            return {"archive": hashlib.sha256((ROOT / str(value.path)).read_bytes()).hexdigest()}
        case Mapping():
            return {str(key): _hashable(inner) for key, inner in value.items()}
        case list():
            return [_hashable(inner) for inner in value]
    return secrets.token_hex(16) if value is UNKNOWN else value
