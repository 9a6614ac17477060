"""Texts of clients: empty texts and control characters are refused.

Hidden characters, for example invisible ones, and surrounding white space are removed.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.common.text import remove_hidden_characters
from handlers.livestream.models import NewEpisode


def parse_new_episode(**content: Any) -> NewEpisode:
    return NewEpisode.model_validate_json(json.dumps({"title": "A", **content}), strict=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("title", " \n "), ("title", "a\nb"), ("description", "a\tb"), ("speakers", ["a\nb"]), ("language", "en-US\n")],
)
def test_an_empty_text_or_a_control_character_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        parse_new_episode(**{name: value})


@given(st.text(st.characters(codec="utf-8")))
def test_an_accepted_title_has_neither_hidden_nor_control_characters(text: str) -> None:
    try:
        title = parse_new_episode(title=text).title
    except ValidationError:
        return
    assert title == remove_hidden_characters(text.strip()).strip()
    assert 1 <= len(title) <= 200
    assert all(ord(letter) >= 32 and not 127 <= ord(letter) < 160 for letter in title)
