"""Key prefixes of livestream's bucket."""

from typing import Final

VIDEOS: Final = "videos/"
TRANSCRIPTS: Final = "transcripts/"
CHUNKS: Final = "chunks/"
"""Prefix of the video chunks that MediaConvert writes. No event rule matches it, so chunks are never taken for
uploads."""
