"""What stops a command: each is one line that says what was given, what is allowed and what to do.

No message repeats what AWS said. Lambda's own words can hold the whole environment of a function (it prints it when it
is too large), and a line of ours that names the operation and the error's code says as much.
"""


class Refused(Exception):
    """The command was not carried out, or not to its end."""


class NotFound(Refused):
    """The service knows no such thing."""


class Changed(Refused):
    """Somebody else changed it after it was read."""


class Invalid(Refused):
    """The service does not accept what it was given."""


class Unclear(Refused):
    """No usable answer came: what was asked for may have happened."""
