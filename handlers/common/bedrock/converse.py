"""Bedrock's Converse: how a request is built, one attempt at it, and what came back.

It decides what every request looks like: the fixed part first with a cache point behind it, material as JSON on lines
of its own, so that nothing which somebody said can end the line it stands in, and an answer that is text. When to ask
again is left to `patience`, what to do with an answer that cannot be used to `asking`.

Any model can be set, and Bedrock refuses a cache point to those that keep nothing. So whoever writes a request says what is
worth keeping, and the points go with it where its model is one of those that do.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.config import Config

from handlers.common.aws.service_faults import called

Request = dict[str, Any]
"""Of Converse, without the model's name."""
Block = dict[str, Any]
"""A piece of a turn."""
CACHE_POINT: Block = {"cachePoint": {"type": "default"}}
"""What stands before it may be kept for some minutes, and costs less when it is read again."""
_KEEPING = re.compile(
    r"(?:^|[./])(?:anthropic\.claude-(?:3-5-haiku|3-7|[a-z]+-\d)|amazon\.nova-(?:micro|lite|pro|premier)-)"
)
"""Models that keep what stands before a cache point, by their ids or those of their profiles: of Claude's, 3.5 Haiku, 3.7 and
whatever came after, which has its number behind its name.
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models"""


def config(answer_seconds: int) -> Config:
    """For a client whose answers, which come as a whole, take so long at most."""
    return Config(
        connect_timeout=2,
        read_timeout=answer_seconds,
        # Whoever asks knows how much time is left, and counts what it asks: botocore must not ask behind its back.
        retries={"mode": "standard", "total_max_attempts": 1},
    )


@dataclass(frozen=True)
class Guardrail:
    """What reads along, and may stop an answer."""

    identifier: str
    version: str


@dataclass(frozen=True)
class Manner:
    """How a model is to answer."""

    max_tokens: int
    guardrail: Guardrail | None = None


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


class Model(Protocol):
    """What answers."""

    def converse(self, request: Request) -> Reply:
        """Asks once; raises ServiceFailed."""
        ...


class BedrockModel:
    """One model, whatever it is asked."""

    def __init__(self, client: Any, model_id: str) -> None:
        """`client`: boto3's. `model_id` may be an inference profile's."""
        self._client = client
        self._model_id = model_id
        self._keeps = _KEEPING.search(model_id) is not None

    def converse(self, request: Request) -> Reply:
        """Asks once; raises ServiceFailed."""
        asked = request if self._keeps else _unkept(request)
        answer = called(self._client.converse, modelId=self._model_id, **asked)
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


def request(instructions: str, content: Sequence[Block], manner: Manner) -> Request:
    """One turn of the user's, below instructions that are the same for all and so are kept."""
    asked: Request = {
        "system": [{"text": instructions}, CACHE_POINT],
        "messages": [{"role": "user", "content": list(content)}],
        "inferenceConfig": {"maxTokens": manner.max_tokens},
    }
    if manner.guardrail is not None:
        asked["guardrailConfig"] = {
            "guardrailIdentifier": manner.guardrail.identifier,
            "guardrailVersion": manner.guardrail.version,
        }
    return asked


def _unkept(request: Request) -> Request:
    """The same without cache points."""
    return {
        **request,
        "system": _without_points(request["system"]),
        "messages": [{**turn, "content": _without_points(turn["content"])} for turn in request["messages"]],
    }


def _without_points(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block != CACHE_POINT]


def lines(objects: Iterable[Mapping[str, Any]]) -> Block:
    """Material: each object on a line of its own."""
    return {"text": "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)}
