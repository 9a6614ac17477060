"""Moments as everything outside has them. Pure."""

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """UTC ISO-8601 with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
