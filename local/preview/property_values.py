"""Conversion of property values from Pulumi's wire format to Python values.

JSON has no secrets, archives, assets or unknown values. The wire format marks the first three with a signature key, and
unknown values with a fixed string. The constants come from Pulumi's protocol (sdk/go/common/resource).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol, not a secret
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Props = dict[str, Any]
"""Properties of a resource by name. The types of this module stand for values that JSON cannot express."""


class Unknown(Enum):
    """Placeholder for a value that is only known after the deployment."""

    VALUE = "unknown"

    def __repr__(self) -> str:
        return "<known after deployment>"


UNKNOWN: Final = Unknown.VALUE


@dataclass(frozen=True)
class Secret:
    """Secret value, which is never shown."""

    value: Any

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True)
class Archive:
    """Archive or file asset of Pulumi: the path of a file, for example a zip, or named entries with their text."""

    path: str | None
    """Path relative to the project's folder, or None for an archive of entries."""
    entries: tuple[tuple[str, str], ...] = ()
    """Name and text of each entry. Empty for a file."""


def to_python_properties(struct: Struct) -> Props:
    """Convert a wire structure to Python values. Secrets stay wrapped in `Secret`."""
    return {key: _to_python(value) for key, value in MessageToDict(struct).items()}


def reveal_secrets(value: Any) -> Any:
    """Return the value with its secrets unwrapped, for a request to the service."""
    if isinstance(value, Secret):
        return reveal_secrets(value.value)
    if isinstance(value, Mapping):
        return {key: reveal_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [reveal_secrets(inner) for inner in value]
    return value


def to_display_value(value: Any) -> Any:
    """Return the value in a form that is safe to print: secrets and unknown values as markers, archives as paths."""
    if isinstance(value, Secret):
        return "[secret]"
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, Archive):
        return f"archive {value.path or 'of ' + ', '.join(name for name, _ in value.entries)}"
    if isinstance(value, Mapping):
        return {key: to_display_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_display_value(inner) for inner in value]
    return value


def _to_python(value: Any) -> Any:
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)  # The wire format has no integers.
    if isinstance(value, list):
        return [_to_python(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    match value.get(SIGNATURE):
        case None:
            return {key: _to_python(inner) for key, inner in value.items()}
        case str() as signature if signature == SECRET:
            return Secret(_to_python(value["value"]))
        case str() as signature if signature == ARCHIVE:
            entries = value.get("assets", {})
            return Archive(value.get("path"), tuple((name, asset.get("text", "")) for name, asset in entries.items()))
        case str() as signature if signature == ASSET:
            return Archive(value["path"]) if "path" in value else value["text"]
        case signature:
            raise ValueError(f"A value has the signature {signature}, which is none of {SECRET}, {ARCHIVE} and {ASSET}")
