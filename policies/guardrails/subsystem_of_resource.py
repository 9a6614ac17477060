"""Conversion of a resource's Pulumi name, which has the form `<subsystem>-<rest>`, to the name of its subsystem."""

TWO_WORD_SUBSYSTEMS = ("voice-qa",)
"""Subsystems whose name contains a hyphen."""


def parse_subsystem(name: str) -> str:
    """Return the subsystem that a Pulumi name starts with."""
    return next(
        (prefix for prefix in TWO_WORD_SUBSYSTEMS if f"{name}-".startswith(f"{prefix}-")), name.partition("-")[0]
    )
