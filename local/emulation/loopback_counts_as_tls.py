"""Sets the condition key `aws:SecureTransport` to true for all requests to the emulator, although they are plain HTTP.

The policies of all our buckets and queues deny plain HTTP by this key, so they would deny every request on this
machine. Tests check the text of the policies instead.
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator

from local import LOOPBACK
from local.emulation import get_private


def install() -> None:
    """Replace `app.pin_request_origin`, and the context variable `iam_evaluator._request_origin` for a new default."""
    get_private(iam_evaluator, "_request_origin")  # fails if the name is missing
    pin = get_private(app, "pin_request_origin")
    origin = contextvars.ContextVar("request_origin", default=(LOOPBACK, True))
    iam_evaluator._request_origin = origin  # noqa: SLF001

    def pin_as_secure(source_ip: str, _secure_transport: bool) -> None:
        pin(source_ip, True)

    app.pin_request_origin = pin_as_secure
