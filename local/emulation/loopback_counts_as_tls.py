"""Makes requests over the loopback interface count as TLS.

The policies of all buckets and queues refuse plain HTTP. On this machine all connections are plain HTTP, and the
emulator derives `aws:SecureTransport` from the connection, so the policies would refuse every request. Tests check the
text of the policies instead.
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator

from local import LOOPBACK
from local.emulation import get_private


def install() -> None:
    """Replace the default of `iam_evaluator._request_origin`, and `app.pin_request_origin`."""
    get_private(iam_evaluator, "_request_origin")  # fails if the name is missing
    pin = get_private(app, "pin_request_origin")
    origin = contextvars.ContextVar("request_origin", default=(LOOPBACK, True))
    iam_evaluator._request_origin = origin  # noqa: SLF001

    def pin_as_secure(source_ip: str, _secure_transport: bool) -> None:
        pin(source_ip, True)

    app.pin_request_origin = pin_as_secure
