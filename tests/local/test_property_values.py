"""Tests of the conversion of assets (single files or texts) and archives from Pulumi's wire format."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import resource_pb2

from local.drivers.functions import read_archive
from local.preview.resource_graph import Graph
from local.property_values import (
    ARCHIVE,
    ASSET,
    SIGNATURE,
    Archive,
    Asset,
    UnsupportedAsset,
    to_display_value,
    to_python_properties,
)

pytestmark = pytest.mark.unit


def convert(value: dict[str, Any]) -> Any:
    struct = Struct()
    struct.update({"code": value})
    return to_python_properties(struct)["code"]


def asset(**fields: Any) -> dict[str, Any]:
    return {SIGNATURE: ASSET, **fields}


def archive(**fields: Any) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, **fields}


EMPTY_HASH = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (asset(path="a.py"), Asset("a.py")),
        (asset(path="a.py", hash="12ab"), Asset("a.py", None, "12ab")),
        (asset(text="a", hash="12ab"), Asset(None, "a", "12ab")),
        (asset(text=""), Asset(None, "")),
        (asset(hash=EMPTY_HASH), Asset(None, "", EMPTY_HASH)),
        (asset(path="empty.py", hash=EMPTY_HASH), Asset("empty.py", None, EMPTY_HASH)),
        (asset(hash="12ab"), Asset(None, None, "12ab")),
        (archive(path="a.zip", hash="12ab"), Archive("a.zip", None, "12ab")),
        (archive(assets={}, hash="12ab"), Archive(None, (), "12ab")),
        (
            archive(assets={"a.py": asset(path="a.py", hash="12ab"), "b.txt": asset(text="b")}),
            Archive(None, (("a.py", Asset("a.py", None, "12ab")), ("b.txt", Asset(None, "b")))),
        ),
        (archive(hash="12ab"), Archive(None, None, "12ab")),
    ],
)
def test_an_asset_keeps_its_content_and_its_hash(value: dict[str, Any], expected: Asset | Archive) -> None:
    """The CLI omits an empty text. If it only compares, it sends nothing but the hash."""
    assert convert(value) == expected


@pytest.mark.parametrize(
    "value", [asset(uri="https://x/a"), archive(uri="https://x/a"), archive(assets={"a": asset(uri="https://x/a")})]
)
def test_a_uri_is_refused_with_the_resource_the_property_and_the_remedy(value: dict[str, Any]) -> None:
    request = resource_pb2.RegisterResourceRequest(name="object")
    request.object.update({"source": value})
    with pytest.raises(UnsupportedAsset, match=r"^object: property source: it has the URI .*: store the content"):
        Graph().add("urn", request)


def test_the_archive_of_a_function_contains_its_files_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    path.write_bytes(b"print()\n")
    code = Archive(entries=(("job.py", Asset(path.as_posix())), ("README", Asset(text="read me\n"))))
    with zipfile.ZipFile(io.BytesIO(read_archive(code))) as archive_file:
        contents = {name: archive_file.read(name) for name in archive_file.namelist()}
    assert contents == {"job.py": b"print()\n", "README": b"read me\n"}


@pytest.mark.parametrize("read", [Asset(hash="12ab").read, lambda: read_archive(Archive(hash="12ab"))])
def test_content_that_was_not_sent_cannot_be_read(read: Any) -> None:
    with pytest.raises(UnsupportedAsset, match="with the hash 12ab was not sent"):
        read()


def test_an_asset_or_archive_is_displayed_by_its_path_text_names_or_hash() -> None:
    archive_of_assets = Archive(None, (("a.py", Asset("a.py")), ("b.txt", Asset(None, "b"))))
    values = [
        Asset("a.py"),
        Asset(None, "b"),
        Asset(hash="12ab"),
        Archive("a.zip"),
        archive_of_assets,
        Archive(hash="12ab"),
    ]
    assert to_display_value(values) == [
        "asset a.py",
        "b",
        "asset 12ab",
        "archive a.zip",
        "archive of a.py, b.txt",
        "archive 12ab",
    ]
