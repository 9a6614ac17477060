"""Key prefixes of the audio bucket."""

from typing import Final

QUERIES: Final = "queries/"
"""Prefix of spoken questions. They expire after some days."""
RESPONSES: Final = "responses/"
"""Prefix of stored answers. They expire after some days."""
LECTURES: Final = "lectures/"
"""Prefix of lectures. They do not expire."""
