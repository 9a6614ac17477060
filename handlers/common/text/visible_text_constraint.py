"""Constraint for texts from clients: hidden characters are removed, and a text without visible characters is refused."""

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from handlers.common.text.text_cleaning import remove_hidden_characters


def _require_visible_text(text: str) -> str:
    visible = remove_hidden_characters(text).strip()
    if not visible:
        raise PydanticCustomError("visible_text", "Input should have at least one visible character")
    return visible


VISIBLE_TEXT = AfterValidator(_require_visible_text)
"""Constraint for a string field, for use in `Annotated`."""
