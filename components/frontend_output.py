"""Typed stack output `frontend`: everything that a frontend needs, without secrets.

`Platform` builds it with `build_frontend`, and the program exports it. A disabled subsystem is absent. A field is never
changed or removed. An incompatible structure would become an additional output with another name.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pulumi
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class OutputModel(BaseModel):
    """Base class of the output models, with camelCase names in the output."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class IdentityOutput(OutputModel):
    """Identity provider whose tokens the APIs accept."""

    auth: Literal["oidc", "none"]
    """Authentication for transcription: with `oidc`, it requires a token; with `none`, it accepts the subprotocol
    `user.<name>` instead, with a name of letters, digits, `.`, `_` and `-`. Meetings always requires a token. For
    livestream, see `livestream.authorizer`."""
    issuer: str
    """Issuer of the tokens: their claim `iss`."""
    audience: str
    """Audience for which a page must request tokens: their claim `aud`."""
    token_url: str | None = None
    """URL that returns tokens for test users. Only the local platform has it; docs/frontend.md shows a request."""


class IngestionOutput(OutputModel):
    """Values for clients that upload files to ingestion."""

    bucket: str
    """Name of the landing bucket."""
    prefix: str
    """Prefix of keys that ingestion accepts."""
    table: str
    """Name of the file table. Its keys are the UTC date of arrival and `<key>#<version>`; a record has a `status`, and
    a `reason` if the file is rejected."""
    suffixes: tuple[str, ...]
    """File name suffixes that are accepted, in upper or lower case. An empty list accepts all files."""
    max_file_bytes: int
    """Maximum size of a file, in bytes; larger files are rejected."""
    flush_minutes: int
    """Minutes after which a file that waits for others is processed at the latest."""


class TranscriptionOutput(OutputModel):
    """Values for clients that turn speech into captions; docs/transcription.md describes the messages."""

    url: str
    """URL of the WebSocket API."""
    protocol: str
    """WebSocket subprotocol that a client offers, together with its token as the subprotocol `bearer.<token>`."""
    ping_seconds: int
    """Seconds between two `ping` messages of a client."""
    in_flight: int
    """Maximum number of utterances of one session that are processed at the same time."""
    languages: tuple[str, ...]
    """Codes of the languages that a session may have, for example `en-US`."""
    routes: tuple[str, ...]
    """Values that a message's `action` may have."""


class VoiceQaOutput(OutputModel):
    """Values for clients that ask questions about lectures; docs/voice-qa.md describes the messages."""

    url: str
    """URL of the WebSocket API. The handshake is signed with credentials of the identity pool."""
    identity_pool_id: str
    """Id of the identity pool from which a guest gets an identity and credentials."""
    ping_seconds: int
    """Seconds between two `ping` messages of a client."""
    lecture_uploads: Literal["guests", "off"]
    """`guests` if clients may upload lectures, otherwise `off`."""
    max_query_bytes: int
    """Maximum size of a spoken question, in bytes."""
    lecture_min_seconds: int
    """Minimum duration of a lecture, in seconds; shorter recordings are rejected."""
    lecture_max_seconds: int
    """Maximum duration of a lecture, in seconds; longer recordings are rejected."""
    max_lecture_bytes: int
    """Maximum size of a lecture, in bytes; larger files are rejected."""
    lecture_formats: tuple[str, ...]
    """Names of the file formats that a lecture may have, in lower case, for example `mp3`."""
    routes: tuple[str, ...]
    """Values that a message's `action` may have."""


class LivestreamOutput(OutputModel):
    """Values for clients of the livestream API; docs/reference/openapi.json describes the operations."""

    api_url: str
    """Base URL to which the paths of operations are appended."""
    authorizer: Literal["none", "jwt"]
    """`none`, or `jwt`: the identity provider's token in `Authorization`."""
    max_video_gigabytes: int
    """Maximum size of an uploaded video in units of 1000³ bytes."""
    max_transcript_megabytes: int
    """Maximum size of an uploaded transcript in units of 1000² bytes."""
    routes: tuple[str, ...]
    """Method and path of each operation, for example `POST /episodes`."""


class MeetingsOutput(OutputModel):
    """Values for clients that upload recordings and read the results; docs/meetings.md describes the objects and items."""

    api_url: str
    """Base URL to which `/exchange` is appended. It exchanges a token of the identity provider for credentials to the
    caller's own meetings."""
    bucket: str
    """Name of the bucket. Uploads go below `raw/<user>/<meeting>/`; the token exchange returns the user."""
    table: str
    """Name of the table of meetings. Its partition key is the user."""
    index: str
    """Name of the index that sorts the meetings of a user by date."""
    credential_seconds: int
    """Seconds for which credentials are valid."""
    raw_days: int
    """Days for which uploads are kept."""
    routes: tuple[str, ...]
    """Method and path of each operation."""


class LocalOutput(OutputModel):
    """Values of the local platform."""

    endpoint: str
    """URL of all its AWS services. On AWS, the SDK knows the URLs."""


class Frontend(OutputModel):
    """Everything that a frontend needs to use one stack."""

    schema_version: Literal[1]
    """Version of this structure. An incompatible version would become an additional output."""
    environment: str
    """`local`, `dev`, `staging` or `prod`."""
    region: str
    """AWS region of the buckets and tables."""
    identity: IdentityOutput | None = None
    """Absent if the stack names no identity provider."""
    ingestion: IngestionOutput | None = None
    transcription: TranscriptionOutput | None = None
    voice_qa: VoiceQaOutput | None = None
    livestream: LivestreamOutput | None = None
    meetings: MeetingsOutput | None = None
    local: LocalOutput | None = None
    """Only in the file that `make outputs` writes. A deployed stack has no such field."""

    def to_output(self) -> dict[str, object]:
        """Return the value that the stack exports."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def build_frontend(
    environment: str, region: str, parts: Mapping[str, Mapping[str, pulumi.Input[object]]]
) -> dict[str, Any]:
    """Return the output of a stack from the values of its parts, which are the identity provider and the subsystems.

    A part's values have the names of its model's fields (`api_url`). The model checks at preview that all fields are
    present. Values that AWS generates during the deployment are unknown at preview. In their place, the model gets
    placeholders, which are texts. So only a field of type `str` may have such a value, and the value is not validated.
    """
    late_values: dict[str, pulumi.Output[object]] = {}

    def to_plain_value(value: pulumi.Input[object]) -> object:
        if not isinstance(value, pulumi.Output):
            return value
        placeholder = f"late-{len(late_values)}"
        late_values[placeholder] = value
        return placeholder

    known = {name: {field: to_plain_value(value) for field, value in values.items()} for name, values in parts.items()}
    model = Frontend.model_validate({"schemaVersion": 1, "environment": environment, "region": region, **known})
    return {
        name: {field: late_values.get(str(value), value) for field, value in part.items()}
        if isinstance(part, dict)
        else part
        for name, part in model.to_output().items()
    }
