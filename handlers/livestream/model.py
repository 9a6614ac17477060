"""The model: Bedrock's Converse. It decides how long one answer may take; when to ask again is left to the worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.config import Config

from handlers.livestream.agent_faults import called
from handlers.livestream.prompting import Request

ANSWER_SECONDS = 50
"""Until an answer is there: it comes as a whole."""
CONFIG = Config(
    connect_timeout=2,
    read_timeout=ANSWER_SECONDS,
    # The worker knows how much time is left, and counts what it asks: botocore must not ask behind its back.
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=2,
)


@dataclass(frozen=True)
class Usage:
    """What an answer cost, in tokens."""

    input_tokens: int = 0
    """Those of the cache are not among them."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class Reply:
    """What the model says."""

    text: str = field(repr=False)
    usage: Usage
    stop_reason: str


class ConverseClient(Protocol):
    """What is used of boto3's client."""

    def converse(self, **request: Any) -> Mapping[str, Any]:
        """Asks a model."""
        ...


class BedrockModel:
    """One model, whatever it is asked."""

    def __init__(self, client: ConverseClient, model_id: str) -> None:
        """`model_id` may be an inference profile's."""
        self._client = client
        self._model_id = model_id

    def converse(self, request: Request) -> Reply:
        """Asks once; raises ServiceFailed."""
        answer = called(self._client.converse, modelId=self._model_id, **request)
        # A model that thinks aloud has other blocks before its text.
        message = answer["output"].get("message", {"content": []})
        usage = answer["usage"]
        return Reply(
            text="".join(block["text"] for block in message["content"] if "text" in block),
            usage=Usage(
                input_tokens=usage["inputTokens"],
                output_tokens=usage["outputTokens"],
                cache_read_tokens=usage.get("cacheReadInputTokens", 0),
                cache_write_tokens=usage.get("cacheWriteInputTokens", 0),
            ),
            stop_reason=answer["stopReason"],
        )
