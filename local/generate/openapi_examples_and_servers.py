"""Servers, authentication and examples for the OpenAPI documents of the two REST APIs, livestream and meetings.

The examples are instances of the request and response models, so they are valid. A test checks that every body and
every parameter has an example.
"""

from collections.abc import Sequence

from components.blocks.api.public_openapi_document import ApiDocumentation, Document, Error
from handlers.common.api_error_codes import CommonErrorCode
from handlers.common.json_models import Message, WrongField
from handlers.livestream import api_models as livestream
from handlers.livestream.fact_claim_verdict import Verdict
from handlers.livestream.track_processing_states import ContentType, EpisodeStatus, TrackKind, TrackState
from handlers.meetings.auth_exchange import api_models as meetings
from handlers.meetings.auth_exchange.credentials_exchange import user_prefixes

EPISODE_ID, UPLOAD_ID = "01K8PFW8H0ZV5QX3N9T2R4M6BC", "01K8PFX1A0B1C2D3E4F5G6H7J8"
USER = "KQ4V6TWLNR2EZXJ7HYFA3D5MBCUOGISP"
CREATED_AT = "2026-01-31T09:30:00.000Z"
CURSOR = "AbCdEfGhIjKlMnOpQrStUvWx"
BUCKET_URL = "https://polyphony-prod-livestream-transcripts-123456789012.s3.us-east-1.amazonaws.com/"
SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=300&X-Amz-Signature=0f3c"
"""Query of a presigned URL, shortened."""
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"  # noqa: S105 - the shortened form of a token
EXAMPLE_TRACK = livestream.TrackView(state=TrackState.CHUNKED, since=CREATED_AT, upload_id=UPLOAD_ID)
EXAMPLE_EPISODE = livestream.Episode(
    episode_id=EPISODE_ID,
    title="The harbour",
    description="A walk through the harbour.",
    language="en-US",
    speakers=("Ann", "Bob"),
    status=EpisodeStatus.READY,
    video=EXAMPLE_TRACK,
    transcript=livestream.TrackView(state=TrackState.NONE, since=CREATED_AT),
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    version=1,
)
EXAMPLE_ERROR = Error(
    code=CommonErrorCode.MALFORMED,
    message="The request does not have the expected form.",
    fields=(WrongField(field="limit", rule="Input should be a whole number"),),
    request_id="b4e1f0d2-7a53-4c6e-9f11-2f7c1f3a9d10",
)


def _index_by_model(examples: Sequence[Message]) -> dict[type[Message], Message]:
    return {type(example): example for example in examples}


def _describe_servers(section: str) -> list[Document]:
    """Return one server, whose URL is a variable, because each stack has its own URL. `section` is a part of the output
    `frontend`.
    """
    return [
        {
            "url": "{apiUrl}",
            "description": f"A stack of Polyphony. The URL is `frontend.{section}.apiUrl` of the stack's outputs.",
            "variables": {
                "apiUrl": {
                    "default": "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/api",
                    "description": f"`frontend.{section}.apiUrl`; `make outputs` writes the URL of the local platform.",
                }
            },
        }
    ]


LIVESTREAM = ApiDocumentation(
    description=(
        "Episodes with videos and transcripts; docs/livestream.md describes the API. `frontend.livestream.authorizer` "
        "of the stack's outputs names the authentication that a stack uses: `jwt`, `apiKey` or "
        "`none`. docs/errors.md explains the error codes."
    ),
    servers=_describe_servers("livestream"),
    security_schemes={
        "jwt": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Token of the identity provider. Each caller sees only their own episodes.",
        },
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "API key of the stack. All callers share all episodes.",
        },
    },
    security=({"jwt": []}, {"apiKey": []}, {}),
    examples=_index_by_model(
        (
            EXAMPLE_ERROR,
            livestream.EpisodePath(episode_id=EPISODE_ID),
            livestream.UploadPath(episode_id=EPISODE_ID, upload_id=UPLOAD_ID),
            livestream.PageQuery(limit=20, cursor=CURSOR),
            livestream.PlaybackQuery(from_ms=240_000, limit=2),
            livestream.NewEpisode(
                title="The harbour",
                language="en-US",
                speakers=("Ann", "Bob"),
                client_token="7f3a9d10",  # noqa: S106 - an idempotency token
            ),
            livestream.EpisodeChanges(version=1, title="The old harbour"),
            EXAMPLE_EPISODE,
            livestream.EpisodePage(episodes=(EXAMPLE_EPISODE,), next_cursor=CURSOR),
            livestream.UploadRequest(kind=TrackKind.TRANSCRIPT, content_type=ContentType.VTT, bytes=18_204),
            livestream.UploadReady(
                upload_id=UPLOAD_ID,
                kind=TrackKind.TRANSCRIPT,
                key=f"transcripts/{USER}/{EPISODE_ID}/{UPLOAD_ID}.vtt",
                max_bytes=18_204,
                expires_seconds=900,
                form=livestream.UploadForm(
                    url=BUCKET_URL,
                    fields={
                        "key": f"transcripts/{USER}/{EPISODE_ID}/{UPLOAD_ID}.vtt",
                        "Content-Type": "text/vtt",
                        "policy": "…",
                        "x-amz-signature": "…",
                    },
                ),
            ),
            livestream.SignParts(multipart_id="VXBsb2FkIElE"),
            livestream.CompleteUpload(
                multipart_id="VXBsb2FkIElE",
                parts=(livestream.Part(part_number=1, etag='"9b2cf535f27731c974343645a3985328"'),),
            ),
            livestream.UploadCompleted(
                upload_id=UPLOAD_ID, key=f"videos/{USER}/{EPISODE_ID}/{UPLOAD_ID}.mp4", bytes=104_857_600
            ),
            livestream.Playback(
                chunks=(
                    livestream.PlayableChunk(
                        number=3,
                        start_ms=240_000,
                        duration_ms=120_000,
                        url=f"{BUCKET_URL}chunks/{USER}/{EPISODE_ID}/0123456789abcdef/{UPLOAD_ID}_chunk_00003.ts?{SIGNATURE}",
                    ),
                ),
                duration_ms=1_800_000,
                expires_seconds=300,
                next_ms=360_000,
            ),
            livestream.ClaimPage(
                claims=(
                    livestream.Claim(
                        claim_id="c1",
                        start_ms=4_000,
                        end_ms=9_000,
                        quote="This city has 12 bridges",
                        text="The city has 12 bridges.",
                        speaker="Ann",
                        verdict=Verdict.SUPPORTED,
                        confidence=0.9,
                        explanation="An earlier passage states the same number.",
                        sources=("cue-2",),
                    ),
                )
            ),
            livestream.ClipPage(
                clips=(
                    livestream.Clip(
                        clip_id="k1",
                        start_ms=0,
                        end_ms=15_000,
                        title="The bridges",
                        reason="It can be understood alone.",
                    ),
                )
            ),
        )
    ),
)
MEETINGS = ApiDocumentation(
    description=(
        "Access to the caller's own meetings; docs/meetings.md describes the API. The request has a token of the "
        "identity provider in its body, so no security scheme applies. docs/errors.md explains the error codes."
    ),
    servers=_describe_servers("meetings"),
    security_schemes={},
    security=({},),
    examples=_index_by_model(
        (
            EXAMPLE_ERROR,
            meetings.ExchangeRequest(token=TOKEN, session_name="laptop"),
            meetings.ExchangeResponse(
                access_key_id="ASIAEXAMPLE",
                secret_access_key="…",  # noqa: S106 - no secret
                session_token="…",  # noqa: S106 - no secret
                expiration="2026-01-31T10:30:00.000Z",
                renew_after="2026-01-31T10:15:00.000Z",
                user=USER,
                bucket_name="polyphony-prod-meetings-recordings-123456789012",
                table_name="polyphony-prod-meetings-meetings",
                region="us-east-1",
                prefixes=user_prefixes(USER),
            ),
        )
    ),
)
