"""Helpers that the flows share. A flow uses one deployed backend from end to end, as its users do.

A flow works with any stack, local or on AWS: it knows only what a user and an operator of the stack know. So
`make demo`, `python -m operations verify` and the end-to-end tests run the same flows. `<subsystem>_flow.py` contains a
flow, and `<subsystem>_client.py` the client that it uses.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate

T = TypeVar("T")
ClientFactory = Callable[[str], Any]
"""Function that returns a boto3 client by service."""
StepReporter = Callable[[str], None]
"""Function that gets the description of each finished step of a flow."""
USER, OTHER_USER = "ann", "bob"
"""Users as which the flows sign in. The second user tries to read data of the first user."""
PATIENCE_SECONDS = 20
"""Default time limit for an expected result."""
POLL_SECONDS = 0.05
"""Minimum time between two polls."""
POLL_SHARE = 0.1
"""Time between later polls, as a share of the time waited so far. More frequent polls would slow down the platform."""


class Connect(Protocol):
    """Function that returns the AWS clients for credentials of a user, by default for those of the operator."""

    def __call__(self, credentials: tuple[str, str, str | None] = ...) -> ClientFactory:
        """Return the clients for an access key, its secret key, and a session token."""


@dataclass(frozen=True)
class Stack:
    """Deployed stack, as its users and operators see it."""

    frontend: Mapping[str, Any]
    """Stack output `frontend`."""
    connect: Connect
    token: Callable[[str], str]
    """Function that returns a token of the identity provider for a user."""
    patience_seconds: float = 120
    """Time limit for each expected result. AWS takes minutes for some of them."""

    @cached_property
    def client(self) -> ClientFactory:
        """AWS clients with the operator's credentials."""
        return self.connect()


class ResultNotInTime(Exception):
    """Error that an expected result did not appear within the time limit."""


class FlowSkipped(Exception):
    """Error that a flow cannot use this stack. The message states the reason, which is no fault of the stack."""


def eventually(find: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Call `find` until its result is not None, and return the result. Raise ResultNotInTime after `seconds`.

    `what` describes the result in the error.
    """
    started = time.monotonic()
    while (value := find()) is None:
        waited = time.monotonic() - started
        if waited > seconds:
            raise ResultNotInTime(f"{what} did not appear within {seconds:g} s")
        time.sleep(max(POLL_SECONDS, waited * POLL_SHARE))
    return value


class Checks:
    """Comparisons of a flow's actual results with the expected ones.

    Texts of a model are only checked for their form, because the models of a stack on AWS are real.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        """Description of each difference. A flow without problems has succeeded."""

    def equal(self, what: str, actual: object, expected: object) -> None:
        """Add a problem if the values differ."""
        if actual != expected:
            self.problems.append(f"{what}: got {actual!r}, expected {expected!r}")

    def present(self, what: str, *texts: str) -> None:
        """Add a problem if there is no text, or if a text is empty."""
        if not texts or not all(text.strip() for text in texts):
            self.problems.append(f"{what}: got {list(texts)}, expected texts")

    def recognised(self, what: str, actual: Sequence[str], spoken: Sequence[str]) -> None:
        """Add a problem unless the texts are recognised versions of the spoken sentences, in the same order."""
        rates = [word_error_rate(*pair) for pair in zip(spoken, actual, strict=False)]
        if len(actual) != len(spoken) or max(rates, default=0) > MAX_WORD_ERROR_RATE:
            self.problems.append(
                f"{what}: got {list(actual)}, spoken were {list(spoken)}; at most {MAX_WORD_ERROR_RATE:.0%} of the "
                "words of a sentence may differ"
            )
