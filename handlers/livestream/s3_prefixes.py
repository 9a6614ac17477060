"""Key prefixes of livestream's bucket."""

from typing import Final

VIDEOS: Final = "videos/"
"""Prefix of uploaded videos."""
TRANSCRIPTS: Final = "transcripts/"
"""Prefix of uploaded transcripts."""
CHUNKS: Final = "chunks/"
"""Prefix of the video chunks that MediaConvert writes. No event rule matches it, so chunks are never taken for
uploads."""
