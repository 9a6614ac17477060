"""Where the bucket has what: how its keys begin. Pure."""

from typing import Final

VIDEOS: Final = "videos/"
TRANSCRIPTS: Final = "transcripts/"
CHUNKS: Final = "chunks/"
"""Of what MediaConvert cuts; no rule listens here, so nothing that it makes comes back as an upload."""
