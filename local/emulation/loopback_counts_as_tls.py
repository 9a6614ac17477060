"""Makes requests over the loopback interface count as TLS.

Every bucket and queue refuses plain HTTP, and the emulator derives `aws:SecureTransport` from the connection, which is
plain HTTP here. Without this module, these policies would refuse requests that use TLS on AWS. Tests of the policy
documents check the statements instead.
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator

from local import LOOPBACK
from local.emulation import get_private


def install() -> None:
    """Replace the default of `iam_evaluator._request_origin`, and `app.pin_request_origin`."""
    get_private(iam_evaluator, "_request_origin")
    pin = get_private(app, "pin_request_origin")
    origin = contextvars.ContextVar("request_origin", default=(LOOPBACK, True))
    iam_evaluator._request_origin = origin  # noqa: SLF001

    def pin_as_secure(source_ip: str, _secure_transport: bool) -> None:
        pin(source_ip, True)

    app.pin_request_origin = pin_as_secure
