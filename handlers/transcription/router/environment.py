"""Environment variables of the router, the function that answers clients of transcription.

A client opens a session, and then sends utterances: messages with a few seconds of speech each. The audio processor is
the function that transcribes an utterance.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.transcription.environment import InFlight, TranscriptionEnvironment


class RouterEnvironment(TranscriptionEnvironment):
    processor: str
    """ARN of the audio processor's alias."""
    auth: Literal["oidc", "none"] = "oidc"
    """`oidc` verifies the token of each handshake. `none`, which only local and dev stacks allow, trusts the user name
    that the client states."""
    issuer: str | None = None
    """Issuer of the tokens. None with `auth: none`, like the next two variables."""
    audience: str | None = None
    jwks_url: str | None = None
    """URL of the issuer's signing keys. Also a stack for the local platform leaves it out: the platform then adds the
    variable, with the URL of the local identity provider.
    """
    in_flight: InFlight = 3
    """Maximum number of utterances of one session that are transcribed at the same time."""
    session_seconds: Annotated[int, Field(ge=60, le=6 * 3600)] = 4 * 3600
    languages: str = "en-US"
    """Languages that a session can use, separated by commas."""
