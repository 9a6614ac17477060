"""What the router hands to the processor: one utterance, checked. The only place where audio travels, never to stay."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.common.messages import MessageId
from handlers.transcription.messages import SessionId


class Work(BaseModel):
    """One utterance to transcribe."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    schema_version: Literal[1] = 1
    session_id: SessionId
    utterance: MessageId
    attempt: Annotated[int, Field(ge=1)]
    """Which of the session's attempts this is."""
    sequence: int
    from_ms: Annotated[int, Field(ge=0)] = 0
    """How far its captions hold since an earlier attempt."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """Which attempt at this utterance it is. After the first, none takes a risk: finals only."""
    accepted_ms: int | None = None
    """When this attempt was taken in: its captions' lateness counts from there. Routers of before do not say."""
    audio: str
    """Base64."""
