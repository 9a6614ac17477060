"""Conversion of a resource's Pulumi name, which has the form `<subsystem>-<rest>`, to the name of its subsystem."""

SUBSYSTEMS = ("foundation", "ingestion", "livestream", "meetings", "transcription", "voice-qa")


def parse_subsystem(name: str) -> str:
    """Return the subsystem that a Pulumi name starts with; another name's first word."""
    return next((prefix for prefix in SUBSYSTEMS if f"{name}-".startswith(f"{prefix}-")), name.partition("-")[0])
