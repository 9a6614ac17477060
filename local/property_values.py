"""Values of resource properties in Python, and their conversions: from Pulumi's wire format, to values for requests to
AWS, and to values that are safe to print.

JSON has no unknown values, secrets, assets or archives. Pulumi's wire format is JSON in which a fixed string is an unknown
value. A secret, asset or archive is an object, whose key `SIGNATURE` says which of the three it is. In Python, each of
the four kinds has a type in this module.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from local import ROOT, CannotRun

# Constants of Pulumi's protocol, from sdk/go/common/resource in its source.
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol, not a secret
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
EMPTY_HASH: Final = hashlib.sha256(b"").hexdigest()
"""Hash of an asset with an empty text."""

Props = dict[str, Any]
"""Properties of a resource by name. Values are JSON values, or have the types `Unknown`, `Secret`, `Asset` or `Archive`."""


class Unknown(Enum):
    """Placeholder for a value that is only known after the deployment."""

    VALUE = "unknown"

    def __repr__(self) -> str:
        return "<known after deployment>"


UNKNOWN: Final = Unknown.VALUE


@dataclass(frozen=True)
class Secret:
    """Secret value, which `repr` and `to_display_value` do not show."""

    value: Any

    def __repr__(self) -> str:
        return "<secret>"


class UnsupportedAsset(CannotRun):
    """An asset or archive is given by a URI, or its content was not sent."""


@dataclass(frozen=True)
class Asset:
    """Asset of Pulumi: the content of one file, given by a path or as a text.

    If an asset has neither, only its hash is known. The Pulumi CLI sends some assets like this, for example when it
    compares old and new inputs.
    """

    path: str | None = None
    """Path relative to the project's folder, or None."""
    text: str | None = None
    """Content, or None."""
    hash: str = ""
    """SHA-256 of the content in hexadecimal. Empty unless the Pulumi CLI sent it, because a program sends no hash."""

    def read(self) -> bytes:
        """Return the content. Raise UnsupportedAsset if only the hash is known."""
        if self.path is not None:
            return (ROOT / self.path).read_bytes()
        if self.text is None:
            raise UnsupportedAsset(f"the content of the asset with the hash {self.hash} was not sent")
        return self.text.encode()


@dataclass(frozen=True)
class Archive:
    """Archive of Pulumi: the path of a file, for example a zip, or a list of named entries.

    If it has neither, only its hash is known, as for an `Asset`.
    """

    path: str | None = None
    """Path relative to the project's folder, or None."""
    entries: tuple[tuple[str, Asset], ...] | None = None
    """Name and content of each entry, or None."""
    hash: str = ""
    """Hash that the Pulumi CLI computes from the content, or empty. It is not the hash of a zip file with this content."""


def to_python_properties(struct: Struct) -> Props:
    """Convert properties from the wire format to Python values.

    Raise UnsupportedAsset for an asset or archive with a URI. Its message names the property.
    """
    properties: Props = {}
    for key, value in MessageToDict(struct).items():
        try:
            properties[key] = _to_python(value)
        except UnsupportedAsset as error:
            raise UnsupportedAsset(f"property {key}: {error}") from None
    return properties


def reveal_secrets(value: Any) -> Any:
    """Return a value with the content of each secret in place of the `Secret`, for example for a request to AWS."""
    if isinstance(value, Secret):
        return reveal_secrets(value.value)
    return convert_items(value, reveal_secrets)


def to_display_value(value: Any) -> Any:
    """Return a value as JSON that is safe to print.

    A secret or unknown value is replaced by a marker, and an asset by its text. An asset without a text is replaced by its
    path or hash, and an archive by the names of its entries, its path or its hash.
    """
    if isinstance(value, Secret):
        return "[secret]"
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, Asset) and value.text is not None:
        return value.text
    if isinstance(value, Asset | Archive):
        kind = type(value).__name__.lower()
        if isinstance(value, Archive) and value.entries is not None:
            return f"{kind} of {', '.join(name for name, _ in value.entries)}"
        return f"{kind} {value.path or value.hash}"
    return convert_items(value, to_display_value)


def convert_items(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a mapping or list with its items converted, or any other value as it is."""
    if isinstance(value, Mapping):
        return {key: convert(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [convert(inner) for inner in value]
    return value


def _to_python(value: Any) -> Any:
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)  # The wire format has no integers.
    if not isinstance(value, dict) or SIGNATURE not in value:
        return convert_items(value, _to_python)
    match value[SIGNATURE]:
        case str() as signature if signature == SECRET:
            return Secret(_to_python(value["value"]))
        case str() as signature if signature == ARCHIVE:
            return _to_archive(value)
        case str() as signature if signature == ASSET:
            return _to_asset(value)
        case signature:
            raise ValueError(
                f"A value has the unknown signature {signature}. Supported are {SECRET} (secret), {ARCHIVE} (archive) and "
                f"{ASSET} (asset)."
            )


def _to_asset(value: Props) -> Asset:
    _refuse_uri(value)
    content_hash = value.get("hash", "")
    if path := value.get("path"):
        return Asset(path=path, text=None, hash=content_hash)
    # The CLI omits an empty text, but sends its hash. Without a text, any other hash means that the content is not known.
    return Asset(path=None, text=value.get("text", "" if content_hash == EMPTY_HASH else None), hash=content_hash)


def _to_archive(value: Props) -> Archive:
    _refuse_uri(value)
    entries, content_hash = value.get("assets"), value.get("hash", "")
    if path := value.get("path"):
        return Archive(path=path, entries=None, hash=content_hash)
    if entries is not None:  # The program's archives contain only assets, no other archives.
        entries = tuple((name, _to_asset(entry)) for name, entry in entries.items())
    return Archive(path=None, entries=entries, hash=content_hash)


def _refuse_uri(value: Props) -> None:
    if "uri" in value:
        raise UnsupportedAsset(
            f"it has the URI {value['uri']}: store the content in a file of the project, and use its path"
        )
