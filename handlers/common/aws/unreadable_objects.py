"""Recognition of S3 objects that exist but cannot be read because of how they were uploaded.

The uploader encrypted the object with a customer-provided key (SSE-C), or stored it in an archive storage class.
Another attempt would fail too. So callers report it as a property of the object, and not as a failure that a retry
could repair. S3 has no special error code for a KMS key that cannot be used; ingestion's `object_storage` recognises
that case.
"""

from typing import Final

from botocore.exceptions import ClientError

UNREADABLE_CODES: Final = frozenset({"InvalidRequest", "InvalidObjectState"})
"""S3's error codes for reading such an object."""


class UnreadableObject(Exception):
    """The object exists and cannot be read."""


def classify_read_error(error: ClientError) -> Exception:
    """Return UnreadableObject for S3's errors about such objects, and the given error for all others."""
    return UnreadableObject() if error.response["Error"]["Code"] in UNREADABLE_CODES else error
