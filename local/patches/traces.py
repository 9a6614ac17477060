"""What a Python traceback says of the exception that it ends with. Pure."""


def error_class(log: str, message: str) -> str:
    """The class at the end of a traceback: its last line is `module.Class: message`, the message on more lines perhaps."""
    trace = log.rstrip("\n")
    head = trace.removesuffix(f": {message}") if message else trace
    name = head.rpartition("\n")[2].rpartition(".")[2]
    return name if name.isidentifier() and (head != trace or not message) else ""
