"""Property values as Pulumi sends them over the wire, turned into plain Python.

The wire marks what JSON cannot say: secrets, archives and assets by a signature key, unknown values by a fixed
string. The constants below are those of Pulumi's protocol (sdk/go/common/resource).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol, no secret
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Props = dict[str, Any]


class Unknown(Enum):
    """The one value that stands for what only a deployment can tell."""

    VALUE = "unknown"

    def __repr__(self) -> str:
        return "<known after deployment>"


UNKNOWN: Final = Unknown.VALUE


@dataclass(frozen=True)
class Secret:
    """A value that is never shown."""

    value: Any

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True)
class Archive:
    """Files that a resource is given: a path (of a zip or of any one file), or entries by name."""

    path: str | None
    entries: tuple[tuple[str, str], ...] = ()


def properties(struct: Struct) -> Props:
    """A wire structure as plain Python; secrets stay wrapped."""
    return {key: _plain(value) for key, value in MessageToDict(struct).items()}


def revealed(value: Any) -> Any:
    """A value with its secrets unwrapped, for the service that must have them."""
    if isinstance(value, Secret):
        return revealed(value.value)
    if isinstance(value, Mapping):
        return {key: revealed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [revealed(inner) for inner in value]
    return value


def shown(value: Any) -> Any:
    """A value as JSON may show it: secrets and unknown values by name, archives by path."""
    if isinstance(value, Secret):
        return "[secret]"
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, Archive):
        return f"archive {value.path or 'of ' + ', '.join(name for name, _ in value.entries)}"
    if isinstance(value, Mapping):
        return {key: shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    match value.get(SIGNATURE):
        case None:
            return {key: _plain(inner) for key, inner in value.items()}
        case str() as signature if signature == SECRET:
            return Secret(_plain(value["value"]))
        case str() as signature if signature == ARCHIVE:
            entries = value.get("assets", {})
            return Archive(value.get("path"), tuple((name, one.get("text", "")) for name, one in entries.items()))
        case str() as signature if signature == ASSET:
            return Archive(value["path"]) if "path" in value else value["text"]
        case signature:
            raise ValueError(f"a value carries the signature {signature}, which this version does not know")
