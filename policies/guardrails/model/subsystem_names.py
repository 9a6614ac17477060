"""Which part of the platform a Pulumi name belongs to: `<subsystem>-<what>`."""

OF_TWO_WORDS = ("voice-qa",)


def subsystem(name: str) -> str:
    """The subsystem that a name begins with."""
    return next((one for one in OF_TWO_WORDS if f"{name}-".startswith(f"{one}-")), name.partition("-")[0])


def section(name: str) -> str:
    """The subsystem's key in a stack file: `voiceQa`."""
    first, *rest = subsystem(name).split("-")
    return first + "".join(word.capitalize() for word in rest)
