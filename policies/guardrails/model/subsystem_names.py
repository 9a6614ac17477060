"""Which part of the platform a Pulumi name belongs to: `<subsystem>-<what>`."""

TWO_WORD_SUBSYSTEMS = ("voice-qa",)


def parse_subsystem(name: str) -> str:
    """The subsystem that a name begins with."""
    return next(
        (prefix for prefix in TWO_WORD_SUBSYSTEMS if f"{name}-".startswith(f"{prefix}-")), name.partition("-")[0]
    )


def settings_section(name: str) -> str:
    """The subsystem's key in a stack file: `voiceQa`."""
    first, *rest = parse_subsystem(name).split("-")
    return first + "".join(word.capitalize() for word in rest)
