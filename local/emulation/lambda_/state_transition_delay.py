"""Shortens the time for which the emulator reports a created or changed function as `Pending` or `InProgress`.

The emulator has nothing to prepare, but it reports these states for half a second, so that clients must wait as on AWS.
A shorter time makes deployments faster, and clients still have to wait.
"""

from ministack.services import lambda_svc

from local.emulation import get_private

TRANSITION_SECONDS = 0.02


def install() -> None:
    get_private(lambda_svc, "_LAMBDA_STATE_TRANSITION_DELAY")  # fails if the name is missing
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = TRANSITION_SECONDS  # noqa: SLF001
