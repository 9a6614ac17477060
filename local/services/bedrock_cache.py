"""What the local model keeps of prompts: each prefix that ends at a cache point, for five minutes after its last use.

Models that keep none refuse a cache point, as on Bedrock. A prefix is what stands before the point, in the order tools, system, messages, for one model. One that is too short is
not kept, without a word, as on Bedrock.
"""

import hashlib
import json
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KEPT_SECONDS = 300.0
LEAST_TOKENS = 1024
REMEMBERED = 10_000
CHARACTERS_PER_TOKEN = 4
_KEEPING = re.compile(r"anthropic\.claude-(3-5-haiku|3-7|[a-z]+-\d)|amazon\.nova-(micro|lite|pro|premier)-")
"""Of https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models"""


def tokens(text: str) -> int:
    """About as many as a model would count."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def taken(model: str, asked: Mapping[str, Any]) -> bool:
    """Whether a model takes the cache points of a request, if it has any."""
    return _KEEPING.search(model) is not None or not any("cachePoint" in block for _, block in _blocks(asked))


class PrefixCache:
    """Prefixes that were seen."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: OrderedDict[str, float] = OrderedDict()

    def count(self, model: str, asked: Mapping[str, Any]) -> tuple[int, int, int]:
        """A prompt's tokens: those that were kept, those that are kept from now on, and the rest."""
        total, points = _measured(model, asked)
        worth = [(digest, size) for digest, size in points if size >= LEAST_TOKENS]
        now = self._now()
        read = max((size for digest, size in worth if self._until.get(digest, 0.0) > now), default=0)
        for digest, _ in worth:
            self._until[digest] = now + KEPT_SECONDS
            self._until.move_to_end(digest)
        while len(self._until) > REMEMBERED:
            self._until.popitem(last=False)
        longest = max((size for _, size in worth), default=0)
        return read, longest - read, total - longest


def _measured(model: str, asked: Mapping[str, Any]) -> tuple[int, list[tuple[str, int]]]:
    """The tokens of a prompt, and the prefixes that end at a cache point, each with its own."""
    digest = hashlib.sha256(model.encode())
    size = 0
    points: list[tuple[str, int]] = []
    for place, block in _blocks(asked):
        if "cachePoint" in block:
            points.append((digest.hexdigest(), size))
            continue
        digest.update(json.dumps([place, block], sort_keys=True).encode())
        size += tokens(block["text"] if "text" in block else json.dumps(block))
    return size, points


def _blocks(asked: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in asked.get("toolConfig", {}).get("tools", []):
        yield "tools", block
    for block in asked.get("system", []):
        yield "system", block
    for at, turn in enumerate(asked["messages"]):
        for block in turn["content"]:
            yield f"{at} {turn['role']}", block
