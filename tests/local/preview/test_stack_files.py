"""Tests of reading stack files, which follows the rules of the Pulumi CLI."""

import json
from pathlib import Path

import pytest

from local.preview import stack_files
from local.preview.stack_files import PLACEHOLDER, StackFileError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: polyphony\nconfig:\n  aws:region: {value: us-east-1}\n")
    return tmp_path


def read(root: Path, text: str) -> stack_files.StackConfig:
    """Write the stack file of the stack x, and read it."""
    (root / "Pulumi.x.yaml").write_text(text)
    return stack_files.read_stack("x", root)


def test_the_values_of_a_stack_file_are_texts_with_json_for_structures(root: Path) -> None:
    """A key without a namespace belongs to the project. The region replaces that of the project file."""
    text = "config: {environment: dev, polyphony:owner: ~, aws:region: eu-west-1, part: {plain: 2, listed: [true]}}"
    assert read(root, text).values == {
        "polyphony:environment": "dev",
        "polyphony:owner": "",
        "aws:region": "eu-west-1",
        "polyphony:part": '{"plain": 2, "listed": [true]}',
    }


@pytest.mark.parametrize(
    ("yaml_text", "value"),
    [
        *((word, word) for word in ("on", "NO", "y", "1:15", ".inf", "1e", "2026-13-01")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, None) for word in ("~", "Null", "")),
        *(("12", 12), ("-12", -12), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0)),
        *(("'on'", "on"), ("'12'", "12"), ("'2026-12-31'", "2026-12-31")),
        *(("2026-12-31", "2026-12-31T00:00:00Z"), ("2026-1-2", "2026-01-02T00:00:00Z")),
    ],
)
def test_values_within_a_section_are_read_as_the_cli_reads_them(root: Path, yaml_text: str, value: object) -> None:
    config = read(root, f"config:\n  polyphony:part:\n    plain: {yaml_text}\n    listed:\n    - {yaml_text}\n")
    section = json.loads(config.values["polyphony:part"])
    assert section == {"plain": value, "listed": [value]}
    assert type(section["plain"]) is type(value)


def test_a_yaml_merge_key_adds_the_values_of_another_mapping(root: Path) -> None:
    config = read(root, "base: &base\n  plain: 1\nconfig:\n  <<: *base\n  other: 2\n")
    assert (config.values["polyphony:plain"], config.values["polyphony:other"]) == ("1", "2")


def test_an_encrypted_value_becomes_a_placeholder_with_a_warning(root: Path) -> None:
    config = read(root, "config:\n  polyphony:part: {encryptionKey: {secure: v1:canary}, plain: 1}\n")
    assert json.loads(config.values["polyphony:part"])["encryptionKey"] == PLACEHOLDER
    assert config.secret_keys == {"polyphony:part"}
    assert config.warnings == ("part.encryptionKey is encrypted. This preview uses a placeholder.",)
    assert "canary" not in repr(config)


def test_a_missing_secret_becomes_a_placeholder_with_a_warning(root: Path) -> None:
    config = read(root, "config:\n  polyphony:livestream: {enabled: true}\n")
    assert json.loads(config.values["polyphony:livestream"]) == {"enabled": True, "encryptionKey": PLACEHOLDER}
    assert config.warnings == ("livestream.encryptionKey is not set. This preview uses a placeholder.",)


def test_a_duplicate_key_is_rejected_with_its_line(root: Path) -> None:
    with pytest.raises(StackFileError, match=r"'plain' is given more than once(.|\n)*line 3"):
        read(root, "config:\n  polyphony:part:\n    plain: 1\n    plain: 2\n")


def test_an_unknown_stack_is_rejected_with_a_list_of_known_stacks(root: Path) -> None:
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    with pytest.raises(StackFileError, match=r"There is no stack 'unknown', .* Known stacks: dev"):
        stack_files.read_stack("unknown", root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [", "is not valid YAML"),
        ("- a\n", "must contain a mapping"),
        ("config: [a]\n", "`config` must be a mapping"),
        ("config: {polyphony:a: {b: !!binary YQ==}}\n", "contains a value that JSON cannot represent"),
    ],
)
def test_the_error_of_an_invalid_stack_file_names_the_file(root: Path, text: str, message: str) -> None:
    with pytest.raises(StackFileError, match=rf"Pulumi\.x\.yaml:? {message}"):
        read(root, text)


@pytest.mark.parametrize("value", ["", "~", "null", "{}"])
def test_a_stack_file_without_settings_has_the_defaults_of_the_project(root: Path, value: str) -> None:
    assert read(root, f"config: {value}\n").values == {"aws:region": "us-east-1"}


def test_the_error_of_a_stack_file_with_another_encoding_names_the_file(root: Path) -> None:
    (root / "Pulumi.x.yaml").write_bytes("config: {a: grün}".encode("latin-1"))
    with pytest.raises(StackFileError, match=r"Pulumi\.x\.yaml is not valid YAML: .*can't decode byte 0xfc"):
        stack_files.read_stack("x", root)
