"""Stack files are read as the CLI reads them; what only it could decrypt becomes a placeholder with a warning."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from components.settings.base import Settings
from local import stack_files
from local.stack_files import PLACEHOLDER, StackFileError


class Part(Settings):
    encryption_key: SecretStr
    plain: int = 1


class Sample(Settings):
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


@pytest.mark.parametrize(("text", "says"), [("config: [", "is not valid YAML"), ("- a\n", "must hold a mapping")])
def test_a_file_that_cannot_be_read_is_named(root: Path, text: str, says: str) -> None:
    with pytest.raises(StackFileError, match=rf"Pulumi\.x\.yaml {says}"):
        stack(root, text)
