"""Errors that end a command. Each message is one line that states what was given, what is allowed, and what to do.

No message repeats the text of an AWS error. Lambda's texts can contain all environment variables of a function, for
example if the variables are too large. The operation and the error code are sufficient.
"""


class CommandFailed(Exception):
    """The command was not executed or not completed, or its outcome is unknown."""


class ResourceNotFound(CommandFailed):
    """The resource does not exist."""


class ConcurrentChange(CommandFailed):
    """The resource was changed by another user after it was read."""


class InvalidInput(CommandFailed):
    """The service does not accept the values."""


class UnknownOutcome(CommandFailed):
    """No usable answer arrived, so the call may or may not have succeeded."""
