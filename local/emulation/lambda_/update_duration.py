"""Shortens the time for which a created or changed function is pending.

The emulator has nothing to prepare, but it reports the states `Pending` and `InProgress` for half a second, because
clients must wait for the end of these states on AWS. They still have to wait here, but not longer than necessary.
"""

from ministack.services import lambda_svc

from local.emulation import get_private

UPDATE_SECONDS = 0.02


def install() -> None:
    """Replace `lambda_svc._LAMBDA_STATE_TRANSITION_DELAY`."""
    get_private(lambda_svc, "_LAMBDA_STATE_TRANSITION_DELAY")  # fails if the name is missing
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = UPDATE_SECONDS  # noqa: SLF001
