"""Format of timestamps in APIs, events and stored records."""

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """Return a time in UTC as ISO 8601 with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
