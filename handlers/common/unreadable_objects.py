"""Recognition of S3 objects that exist but cannot be read because of how they were uploaded.

The uploader either encrypted the object with a customer-provided key (SSE-C), or stored it in an archive storage class.
A retry would fail too, so callers reject the object.
"""

from typing import Final

UNREADABLE_CODES: Final = frozenset({"InvalidRequest", "InvalidObjectState"})
"""S3's error codes for reading such an object."""
