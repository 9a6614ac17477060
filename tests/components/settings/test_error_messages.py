"""Tests of the error messages about secrets, which never show the secret, and about items of lists."""

from typing import Annotated

import pytest
from pydantic import Field, SecretStr, ValidationError

from components.settings.error_messages import SettingsProblem, find_secret_paths, format_location, list_problems
from components.settings.settings_base import SettingsModel


class Inner(SettingsModel):
    encryption_key: Annotated[SecretStr, Field(min_length=32)]
    plain: int = 1


class Outer(SettingsModel):
    livestream: Inner
    optional_key: SecretStr | None = None
    bounded_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    limited_key: Annotated[SecretStr, Field(min_length=32, max_length=64)] | None = None
    listed: tuple[int, ...] = ()


def found(value: object) -> list[SettingsProblem]:
    try:
        Outer.model_validate(value)
    except ValidationError as error:
        return list(list_problems(error.errors(), Outer))
    return []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"livestream": {"encryptionKey": "canary"}}, "livestream.encryptionKey"),
        ({"boundedKey": "canary"}, "boundedKey"),
        ({"livestream": {"encryptionKey": "canary" * 9, "plain": "x"}}, "livestream.plain"),
    ],
)
def test_a_secret_is_never_shown(changes: dict[str, object], named: str) -> None:
    text = "".join(map(str, found({"livestream": {"encryptionKey": "k" * 32}, **changes})))
    assert named in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        ("boundedKey", "canary", "it must have at least 32 characters, but has 6"),
        ("optionalKey", 7, "Input should be a valid string"),
        ("limitedKey", "canary", "it must have 32 to 64 characters, but has 6"),
        ("limitedKey", "canary" * 11, "it must have 32 to 64 characters, but has 66"),
    ],
)
def test_the_error_for_an_invalid_secret_names_the_required_length_or_type(
    key: str, given: object, message: str
) -> None:
    (problem,) = found({"livestream": {"encryptionKey": "k" * 32}, key: given})
    assert str(problem) == f"{key}: the secret is not valid: {message}"


def test_secrets_are_found_at_every_level() -> None:
    assert [format_location(path) for path in find_secret_paths(Outer)] == [
        "livestream.encryptionKey",
        "optionalKey",
        "boundedKey",
        "limitedKey",
    ]


def test_an_item_of_a_list_is_named_by_its_index() -> None:
    assert [str(item) for item in found({"livestream": {"encryptionKey": "k" * 32}, "listed": [1, "x"]})] == [
        'listed[1] = "x": allowed is an integer'
    ]
