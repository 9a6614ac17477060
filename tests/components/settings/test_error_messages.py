"""Tests of the error messages about secrets, which never show the secret, and about items of lists."""

from typing import Annotated

import pytest
from pydantic import Field, SecretStr, ValidationError

from components.settings.error_messages import find_secret_paths, format_location, list_problems
from components.settings.settings_base import SettingsModel


class SectionModel(SettingsModel):
    required_key: Annotated[SecretStr, Field(min_length=32)]
    number: int = 1


class StackModel(SettingsModel):
    section: SectionModel
    optional_key: SecretStr | None = None
    long_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    limited_key: Annotated[SecretStr, Field(min_length=32, max_length=64)] | None = None
    numbers: tuple[int, ...] = ()


VALID = {"section": {"requiredKey": "k" * 32}}


def problems(value: object) -> list[str]:
    """Return the texts of the problems that a stack with this configuration has."""
    try:
        StackModel.model_validate(value)
    except ValidationError as error:
        return [str(problem) for problem in list_problems(error.errors(), StackModel)]
    return []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"section": {"requiredKey": "canary"}}, "section.requiredKey"),
        ({"longKey": "canary"}, "longKey"),
        ({"section": {"requiredKey": "canary" * 9, "number": "x"}}, "section.number"),
    ],
)
def test_a_secret_is_never_shown(changes: dict[str, object], path: str) -> None:
    [problem] = problems({**VALID, **changes})
    assert path in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("longKey", "canary", "it must have at least 32 characters, but has 6"),
        ("optionalKey", 7, "Input should be a valid string"),
        ("limitedKey", "canary", "it must have 32 to 64 characters, but has 6"),
        ("limitedKey", "canary" * 11, "it must have 32 to 64 characters, but has 66"),
    ],
)
def test_the_error_for_an_invalid_secret_names_the_required_length_or_type(
    key: str, value: object, message: str
) -> None:
    assert problems({**VALID, key: value}) == [f"{key}: the secret is not valid: {message}"]


def test_secrets_are_found_at_every_level() -> None:
    secrets = [format_location(path) for path in find_secret_paths(StackModel)]
    assert secrets == ["section.requiredKey", "optionalKey", "longKey", "limitedKey"]


def test_an_item_of_a_list_is_named_by_its_index() -> None:
    assert problems({**VALID, "numbers": [1, "x"]}) == ['numbers[1] = "x": allowed is an integer']
