"""The stack output `frontend`: what a frontend reads, typed, and nothing secret.

A subsystem that is off is absent. Fields are only ever added; what breaks a reader gets a new major key.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pulumi
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class OutputModel(BaseModel):
    """Base of all output models: camelCase outside."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class IngestionOutput(OutputModel):
    """Where files are dropped."""

    bucket: str
    """The landing bucket."""
    prefix: str
    """Keys that are taken in start with this."""
    table: str
    """Files by the UTC date of their arrival and `<key>#<version>`: their `status`, and the `reason` of one that is rejected."""
    suffixes: tuple[str, ...]
    """How names of files end that are taken, in whatever case; none takes all."""
    max_file_bytes: int
    """Larger files are rejected."""


class TranscriptionOutput(OutputModel):
    """Where speech becomes captions: docs/transcription.md has the messages."""

    url: str
    """The WebSocket API."""
    protocol: str
    """The subprotocol to offer; the token is offered beside it, as `bearer.<token>`."""
    ping_seconds: int
    """How often a client says that it is there."""
    in_flight: int
    """Utterances of one session that may be on their way at once."""
    session_hours: float
    """How long a session can be used."""
    languages: tuple[str, ...]
    """Those that a session may be in."""
    routes: tuple[str, ...]
    """What a message's `action` may be."""


class VoiceQaOutput(OutputModel):
    """Where lectures are asked: docs/voice-qa.md has the messages."""

    url: str
    """The WebSocket API; the handshake is signed with credentials of the identity pool."""
    identity_pool_id: str
    """Where a guest gets an identity and credentials."""
    ping_seconds: int
    """How often a client says that it is there."""
    lecture_uploads: Literal["guests", "off"]
    """Whether a client may upload lectures."""
    max_query_bytes: int
    """The longest question, as audio."""
    lecture_formats: tuple[str, ...]
    """What a lecture may be."""
    routes: tuple[str, ...]
    """What a message's `action` may be."""


class LivestreamOutput(OutputModel):
    """Where episodes are: docs/openapi.json has the operations."""

    api_url: str
    """What operations' paths are appended to."""
    authorizer: Literal["none", "apiKey", "jwt"]
    """`none`; `apiKey`: a key in the header `x-api-key`; or `jwt`: the provider's token in `Authorization`."""
    max_video_gigabytes: int
    """The largest video that may be uploaded."""
    max_transcript_megabytes: int
    """The largest transcript."""
    routes: tuple[str, ...]
    """Method and path of each operation: `POST /episodes`."""


class MeetingsOutput(OutputModel):
    """Where recordings go, and what became of them is read: docs/meetings-client.md has a client."""

    api_url: str
    """What `/exchange` is appended to: a token of the identity provider for credentials to the caller's own meetings."""
    bucket: str
    """Uploads go below `raw/<user>/<meeting>/`; the exchange says who the user is."""
    table: str
    """Meetings, by user."""
    index: str
    """The same by date."""
    credential_seconds: int
    """How long credentials hold."""
    raw_days: int
    """How long uploads are kept."""
    routes: tuple[str, ...]
    """Method and path of each operation."""


class Frontend(OutputModel):
    """Everything a frontend needs to know of one stack."""

    schema_version: Literal[1]
    """Another number is another shape, and comes under another key beside this one."""
    environment: str
    """`local`, `dev`, `staging` or `prod`."""
    region: str
    """Where the buckets and tables are."""
    ingestion: IngestionOutput | None = None
    transcription: TranscriptionOutput | None = None
    voice_qa: VoiceQaOutput | None = None
    livestream: LivestreamOutput | None = None
    meetings: MeetingsOutput | None = None

    def to_output(self) -> dict[str, object]:
        """As the stack exports it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def build_frontend(
    environment: str, region: str, subsystems: Mapping[str, Mapping[str, pulumi.Input[object]] | None]
) -> dict[str, Any]:
    """The output of a stack whose subsystems (those that are off are none) gave these values.

    Held against the model at once, also where a value is known only when AWS has made something: a placeholder stands
    for it meanwhile, so that a preview shows the rest and a missing field fails there.
    """
    late: dict[str, pulumi.Output[object]] = {}

    def now(value: pulumi.Input[object]) -> object:
        if not isinstance(value, pulumi.Output):
            return value
        placeholder = f"late-{len(late)}"
        late[placeholder] = value
        return placeholder

    known = {
        name: {field: now(value) for field, value in values.items()}
        for name, values in subsystems.items()
        if values is not None
    }
    model = Frontend.model_validate({"schemaVersion": 1, "environment": environment, "region": region, **known})
    return {
        name: {field: late.get(str(value), value) for field, value in part.items()} if isinstance(part, dict) else part
        for name, part in model.to_output().items()
    }
