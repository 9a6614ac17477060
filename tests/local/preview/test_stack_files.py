"""Stack files are read as the CLI reads them; what only it could decrypt becomes a placeholder with a warning."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from components.settings.settings_base import SettingsModel
from local.preview import stack_files
from local.preview.stack_files import PLACEHOLDER, StackFileError


class Part(SettingsModel):
    encryption_key: SecretStr
    plain: int = 1


class Sample(SettingsModel):
    part: Part


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: polyphony\nconfig:\n  aws:region: {value: us-east-1}\n")
    return tmp_path


def stack(root: Path, text: str) -> stack_files.StackConfig:
    (root / "Pulumi.x.yaml").write_text(text)
    return stack_files.read("x", root)


def test_structures_become_json_and_words_stay_words(root: Path) -> None:
    config = stack(root, "config:\n  polyphony:environment: dev\n  polyphony:part: {plain: 2, listed: [true]}\n")
    assert config.values["polyphony:environment"] == "dev"
    assert json.loads(config.values["polyphony:part"]) == {"plain": 2, "listed": [True]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *((word, word) for word in ("on", "off", "NO", "y", "1:15", ".inf", "1e", "2026-13-01")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, None) for word in ("~", "Null", "")),
        *(("12", 12), ("-12", -12), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0)),
        *(("'on'", "on"), ("'12'", "12"), ("'2026-12-31'", "2026-12-31")),
        *(("2026-12-31", "2026-12-31T00:00:00Z"), ("2026-1-2", "2026-01-02T00:00:00Z")),
    ],
)
def test_values_within_a_section_are_what_the_cli_makes_of_them(root: Path, written: str, read: object) -> None:
    config = stack(root, f"config:\n  polyphony:part:\n    plain: {written}\n    listed:\n    - {written}\n")
    found = json.loads(config.values["polyphony:part"])
    assert found == {"plain": read, "listed": [read]}
    assert type(found["plain"]) is type(read)


@pytest.mark.parametrize("written", ["017", "1:15", "True", "off", "2026-12-31", "1e3"])
def test_a_value_without_a_section_stays_as_it_is_written(root: Path, written: str) -> None:
    assert stack(root, f"config:\n  polyphony:monthlyBudget: {written}\n").values["polyphony:monthlyBudget"] == written


@pytest.mark.parametrize("key", ["on", "12", "true", "2026-12-31"])
def test_a_key_is_a_word_whatever_it_looks_like(root: Path, key: str) -> None:
    config = stack(root, f"base: &base\n  plain: 1\nconfig:\n  <<: *base\n  {key}: {{a: 1}}\n  polyphony:last: 0x10\n")
    assert json.loads(config.values[f"polyphony:{key}"]) == {"a": 1}
    assert config.values["polyphony:plain"] == "1"
    assert config.values["polyphony:last"] == "0x10"


def test_nothing_is_an_empty_word(root: Path) -> None:
    assert stack(root, "config: {polyphony:owner: ~}\n").values["polyphony:owner"] == ""


def test_the_projects_values_are_defaults_of_every_stack(root: Path) -> None:
    assert stack(root, "config: {}\n").values["aws:region"] == "us-east-1"
    assert stack(root, "config: {aws:region: eu-west-1}\n").values["aws:region"] == "eu-west-1"


def test_a_key_without_namespace_is_the_projects(root: Path) -> None:
    assert stack(root, "config: {environment: dev}\n").values["polyphony:environment"] == "dev"


def test_what_is_encrypted_becomes_a_placeholder_with_a_warning(root: Path) -> None:
    config = stack(root, "config:\n  polyphony:part: {encryptionKey: {secure: v1:canary}, plain: 1}\n")
    assert json.loads(config.values["polyphony:part"])["encryptionKey"] == PLACEHOLDER
    assert config.secret_keys == {"polyphony:part"}
    assert config.warnings == ("part.encryptionKey is encrypted: this preview uses a placeholder",)
    assert "canary" not in repr(config)


def test_a_secret_that_is_not_set_becomes_a_placeholder_with_a_warning(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_files, "StackSettings", Sample)
    config = stack(root, "config:\n  polyphony:part: {plain: 1}\n")
    assert json.loads(config.values["polyphony:part"]) == {"plain": 1, "encryptionKey": PLACEHOLDER}
    assert config.warnings == ("part.encryptionKey is not set: this preview uses a placeholder",)


def test_a_key_given_twice_is_refused_with_its_line(root: Path) -> None:
    with pytest.raises(StackFileError, match=r"'plain' is given more than once(.|\n)*line 3"):
        stack(root, "config:\n  polyphony:part:\n    plain: 1\n    plain: 2\n")


def test_an_unknown_stack_is_refused_with_the_known_ones(root: Path) -> None:
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    with pytest.raises(StackFileError, match=r"there is no stack 'nope': .* known are dev"):
        stack_files.read("nope", root)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config: [", "is not valid YAML"),
        ("- a\n", "must hold a mapping"),
        ("config: [a]\n", "must hold a mapping below `config`"),
        ("config: {polyphony:a: {b: !!binary YQ==}}\n", "has a value that JSON has no word for"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(root: Path, text: str, says: str) -> None:
    with pytest.raises(StackFileError, match=rf"Pulumi\.x\.yaml {says}"):
        stack(root, text)


@pytest.mark.parametrize("nothing", ["", "~", "null", "{}"])
def test_a_file_may_configure_nothing(root: Path, nothing: str) -> None:
    assert stack(root, f"config: {nothing}\n").values == {"aws:region": "us-east-1"}


def test_a_file_that_is_no_text_is_named(root: Path) -> None:
    (root / "Pulumi.x.yaml").write_bytes("config: {a: grün}".encode("latin-1"))
    with pytest.raises(StackFileError, match=r"Pulumi\.x\.yaml is not valid YAML: .*can't decode byte 0xfc"):
        stack_files.read("x", root)
