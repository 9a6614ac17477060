"""Facts that transcription's functions share with the program that deploys them: variables, caption thresholds and names.

An utterance is a few seconds of speech, which a client sends in one message. The router is the function that answers
clients, and the audio processor the one that transcribes an utterance. Amazon Transcribe sends each result, a piece of
recognised speech, in versions: first partials, whose text may still change, and then a final. A caption shows a version.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from handlers.common.environment import HandlerEnvironment
from handlers.common.json_models import USE_ATTRIBUTE_DOCSTRINGS

PROTOCOL = "polyphony.transcription.v2"
"""WebSocket subprotocol that the client offers and the router selects. The client offers its token as a second
subprotocol, which the router never returns."""

METRICS_NAMESPACE = "AudioTranscription/PartialResults"
LATENCY_METRIC = "PartialResultProcessingLatency"
"""Delay of each caption in milliseconds: from the end of its speech to its delivery."""
DROPPED_METRIC = "PartialResultsDropped"
"""Number of partials that were not shown, because the rate of captions is limited."""
ORPHANS_METRIC = "OrphanedResultsFlushed"
"""Number of results that never became final."""
FALLBACK_METRIC = "TranscribeFallbackTriggered"
"""1 for each attempt at an utterance that failed, or that stopped showing partials because Amazon Transcribe marked no words
as stable or unstable."""
GIVEN_UP_EVENT = "utterance_given_up"
"""Log event of the audio processor for an utterance that is not transcribed and not sent again. An alarm counts it."""


class CaptionThresholds(BaseModel):
    """Thresholds that decide which captions are shown, and when, with the names and defaults of the product requirements.

    The stack's settings, the environment of the audio processor and the settings of a session inherit this model. Times
    are in seconds.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=USE_ATTRIBUTE_DOCSTRINGS)

    partial_results_enabled: bool = True
    """Show captions before they are final. If the stack does not, no session can choose to."""
    min_stability_threshold: Annotated[float, Field(ge=0, le=1)] = 0.85
    """Share of a partial's words and punctuation marks that Amazon Transcribe must mark as stable for the partial to be
    shown at once. Below it, the partial is unstable, unless its text ends a sentence."""
    max_buffer_timeout: Annotated[float, Field(ge=0.5, le=10)] = 5.0
    """Seconds after which an unstable partial is shown in any case. Also the seconds for which a final waits for results
    that started earlier."""
    pause_threshold: Annotated[float, Field(ge=0.2, le=5)] = 2.0
    """Seconds for which the text of a result must be unchanged before an unstable partial of it is shown. If Amazon
    Transcribe reports no stability, the time since the result's first version counts instead."""
    orphan_timeout: Annotated[float, Field(ge=5, le=60)] = 15.0
    """Seconds without a new version after which a result becomes an orphan: its last partial is shown as its final. The
    end of a stream makes orphans of all results without a final. It comes after less than 7 seconds, so higher values
    change nothing (docs/decisions/0040)."""
    max_rate_per_second: Annotated[int, Field(ge=1, le=20)] = 5
    """Maximum number of partials that are shown in one second."""
    dedup_cache_ttl: Annotated[int, Field(ge=0, le=60)] = 10
    """Seconds for which no other result of the utterance may show the same text. 0 allows repeated texts."""

    def for_session(self, settings: "SessionSettings") -> Self:
        """Return the thresholds with the overrides of a session, which cannot enable partials that the stack disables."""
        overridden = self.model_copy(update=settings.model_dump(exclude_unset=True))
        enabled = self.partial_results_enabled and overridden.partial_results_enabled
        return overridden.model_copy(update={"partial_results_enabled": enabled})


def _remove_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default")


class SessionSettings(CaptionThresholds):
    """Thresholds that a client can set when it opens a session. Field names are camelCase in messages.

    For a field that is absent, the value of the stack applies. So only `model_fields_set` counts, and the JSON Schema has
    no defaults.
    """

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, json_schema_extra=_remove_defaults)


class TranscriptionEnvironment(HandlerEnvironment):
    """Environment variables of the router and the audio processor."""

    structured_logging: bool
    """True to log JSON lines, False to log plain text."""
    sessions_table_name: str


class RouterEnvironment(TranscriptionEnvironment):
    processor: str
    """ARN of the audio processor's alias."""
    auth: Literal["oidc", "none"]
    """`oidc` verifies the token of each handshake. `none`, which only local and dev stacks allow, accepts every client."""
    issuer: str | None = None
    """Issuer of the tokens. None with `auth: none`, like the next two variables."""
    audience: str | None = None
    jwks_url: str | None = None
    """URL of the issuer's signing keys. If a stack for the local platform leaves it out, the platform sets the variable."""
    in_flight: int
    """Maximum number of utterances of one session that are transcribed at the same time."""
    languages: str
    """Languages that a session can use, separated by commas."""


class ProcessorEnvironment(CaptionThresholds, TranscriptionEnvironment):
    """Environment variables of the audio processor. Most are thresholds that decide when captions are shown."""

    last_results_ms: int
    """Time beyond the length of an utterance that its transcription may take, for example for the last words."""
    aws_endpoint_url_transcribe_streaming: str | None = None
    """Endpoint of Amazon Transcribe, if it is not the region's usual one."""
