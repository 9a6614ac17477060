"""Language that the local platform understands."""

ENGLISH_ONLY = "The local platform understands English speech."
"""Note for users."""


def find_language_note(language: str) -> str | None:
    """Return the note that takes the place of a transcript in another language than English, or None for English."""
    if language.startswith("en-"):
        return None
    return f"{ENGLISH_ONLY} This speech was not transcribed, because its language is {language}."
