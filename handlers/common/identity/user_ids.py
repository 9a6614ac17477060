"""The name that the project gives a caller: one for each subject of each provider.

It goes where a subject cannot: into tags, object keys and table keys, which take neither every character nor every
length. Nobody gets from it back to the subject without already knowing whom to look for.
"""

import base64
import hashlib

LENGTH = 32
"""Of base32: 160 bits, so that no two callers ever share a name."""
PATTERN = r"[A-Z2-7]{32}"
EVERYBODY = "everybody"
"""The owner of everything where nobody says who asks. No caller's name looks like it."""


def user_id(issuer: str, subject: str) -> str:
    """The name of an issuer's subject."""
    if "\n" in issuer:
        raise ValueError("an issuer is one line: with two, two callers could share a name")
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
    return base64.b32encode(digest).decode()[:LENGTH]
