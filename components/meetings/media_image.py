"""Tag of the media job's container image: a hash of the files that determine its content.

With this tag, a commit always runs the image of its own code, also after a rollback, and an image is built only if its
content changed. `python3 -m components.meetings.media_image` prints the tag, for the GitHub workflow `image`. The command
needs no installed packages. The deployment looks for the image with the same tag (`media_job.py`).
"""

import hashlib
from pathlib import Path

from components.handler_archive import ROOT, list_source_files, zip_files

LOCK_FILE = Path("requirements/media.txt")


def get_tag() -> str:
    """Return the tag. It depends on the modules that the job imports, the Dockerfile beside them, and the lock file."""
    files = [*list_source_files("handlers.meetings.media_job.__main__"), LOCK_FILE]
    return hashlib.sha256(zip_files((file.as_posix(), ROOT / file) for file in files)).hexdigest()[:20]


if __name__ == "__main__":
    print(get_tag())  # noqa: T201 - the output of the command
