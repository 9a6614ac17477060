"""Texts of clients have a maximum length and no control characters, and are stripped of surrounding white space."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.common.text.text_cleaning import remove_hidden_characters
from handlers.livestream.api_models import NewEpisode


def parsed(**content: Any) -> NewEpisode:
    return NewEpisode.model_validate_json(json.dumps({"title": "A", **content}), strict=True)


REFUSED: dict[str, list[object]] = {
    "title": ["", " \n ", "x" * 201, "a\nb", "a\u0000b", "a\u0085b", "a\u007fb", None],
    "description": ["", " ", "x" * 5001, "a\tb", "a\rb"],
    "language": ["en", "en-us", "EN-US", "en-US\n"],
    "speakers": [["a"] * 21, [""], ["x" * 101], ["a\nb"], "Ann"],
    "clientToken": ["short", "x" * 65, "with space"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_an_invalid_value_of_a_new_episode_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        parsed(**{name: value})


def test_values_at_their_limits_are_accepted() -> None:
    parsed(title="x" * 200, description="x" * 4999 + "\u00e9", speakers=["y" * 100] * 20, clientToken="t" * 64)
    parsed(title="x", description="a\nb", speakers=[], clientToken="t" * 8, language="yue-HK")


@given(st.text(st.characters(codec="utf-8")))
def test_an_accepted_title_has_no_control_characters(text: str) -> None:
    try:
        title = parsed(title=text).title
    except ValidationError:
        return
    assert title == remove_hidden_characters(text.strip()).strip()
    assert 1 <= len(title) <= 200
    assert all(ord(letter) >= 32 and not 127 <= ord(letter) < 160 for letter in title)
