"""Objects that are there and that nobody here can read, because of how they were uploaded.

With a key of the client's own, or into an archive: asking again changes nothing, so this is an answer and no failure of
ours.
"""

from typing import Final

from botocore.exceptions import ClientError

CODES: Final = frozenset({"InvalidRequest", "InvalidObjectState"})
"""What S3 says of them to whoever reads."""


class Sealed(Exception):
    """An object is there, and cannot be read."""


def meant(error: ClientError) -> Exception:
    """What an error is about: a sealed object, or what it says."""
    return Sealed() if error.response["Error"]["Code"] in CODES else error
