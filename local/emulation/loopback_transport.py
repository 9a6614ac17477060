"""Loopback counts as TLS.

Every bucket and queue refuses plain HTTP, and the emulator takes `aws:SecureTransport` from the connection: without
this, each policy would refuse what TLS carries on AWS. What the statements say is tested on the documents instead.
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator

from local import LOOPBACK
from local.emulation import get_private


def install() -> None:
    """Replaces `iam_evaluator._request_origin`'s default and `app.pin_request_origin`."""
    get_private(iam_evaluator, "_request_origin")
    pin = get_private(app, "pin_request_origin")
    origin = contextvars.ContextVar("request_origin", default=(LOOPBACK, True))
    iam_evaluator._request_origin = origin  # noqa: SLF001

    def pin_as_secure(source_ip: str, _secure_transport: bool) -> None:
        pin(source_ip, True)

    app.pin_request_origin = pin_as_secure
