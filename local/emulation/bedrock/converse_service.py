"""Local Amazon Bedrock: the operation Converse, answered by fixed rules in place of a language model.

Our prompts contain data, for example a part of a transcript, as JSON lines. From these lines, `fact_check_answers`
(livestream) or `meeting_answers` (meetings) computes the answer. The instructions in a prompt are ignored.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, Final

from local.emulation.aws_service_server_base import AwsError, SignedRequest, serve_signed
from local.emulation.bedrock.claude_versions import count_thinking_tokens, list_refusals, min_cached_tokens
from local.emulation.bedrock.converse_permissions import ModelPermissions
from local.emulation.bedrock.fact_check_answers import parse_broadcast
from local.emulation.bedrock.meeting_answers import parse_meeting
from local.emulation.faults import Fault, Faults
from local.emulation.request_validation import InvalidRequest, validate_request
from local.http_server import HttpResponse

MAX_TOKENS = 4096
"""Token limit of an answer if the request contains no `maxTokens`."""
CHARACTERS_PER_TOKEN = 4
"""Assumed length of a token. The service has no tokenizer."""
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "The lines are searched.", "signature": "local"}}}
"""Content block before the answer of a model that thinks."""
_PATH: Final = re.compile(r"/model/(?P<model>.+)/converse")


def serve(permissions: ModelPermissions | None = None, faults: Faults | None = None) -> AbstractContextManager[int]:
    """Serve while the block runs, and yield the port. Without `permissions`, every caller may use every model."""
    return serve_signed(_ConverseService(permissions, faults or Faults()).respond)


def read_lines(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the JSON objects that are lines of the request's last message."""
    return list(_lines(request["messages"][-1]["content"]))


def _lines(content: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for block in content:
        for line in str(block.get("text", "")).split("\n"):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


class _ConverseService:
    def __init__(self, permissions: ModelPermissions | None, faults: Faults) -> None:
        self._permissions = permissions
        self._faults = faults
        self._cached: set[tuple[str, str]] = set()
        """Pairs of a model and a cached prefix (see `_usage`). They never expire."""

    def respond(self, signed: SignedRequest) -> HttpResponse:
        path = _PATH.fullmatch(signed.http.path)
        if path is None:
            raise AwsError(
                "UnknownOperationException", "The local Bedrock supports only Converse.", HTTPStatus.NOT_FOUND
            )
        model = path["model"]
        try:
            content = {"modelId": model, **json.loads(signed.http.body)}
            request = validate_request("bedrock-runtime", "Converse", content)
        except (InvalidRequest, ValueError, TypeError) as error:
            raise AwsError("ValidationException", str(error)) from None
        for refusal in list_refusals(model, request):
            raise AwsError("ValidationException", refusal)
        if self._permissions is not None:
            self._permissions.check(signed.access_key, model)
        return HttpResponse(self._answer(model, request))

    def _answer(self, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
        lines = read_lines(request)
        prompt = parse_meeting(lines) or parse_broadcast(lines)
        if self._faults.take(Fault.MODEL_THROTTLED):
            raise AwsError("ThrottlingException", "Too many requests", HTTPStatus.TOO_MANY_REQUESTS)
        text = json.dumps(prompt.answer())
        max_tokens = request.get("inferenceConfig", {}).get("maxTokens", MAX_TOKENS)
        thinking_tokens = min(count_thinking_tokens(model, request), max_tokens)
        max_characters = (max_tokens - thinking_tokens) * CHARACTERS_PER_TOKEN
        if self._faults.take(Fault.MODEL_REPEATING):
            max_characters = len(text) // 2
        answer = text[:max_characters]
        # Without room for an answer after the thinking, the model returns no text block.
        blocks = [THOUGHT] * (thinking_tokens > 0) + [{"text": answer}] * (answer != "")
        return {
            "output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": "max_tokens" if len(text) > max_characters else "end_turn",
            "usage": self._usage(model, request, _tokens(answer) + thinking_tokens),
            "metrics": {"latencyMs": 1},
        }

    def _usage(self, model: str, request: Mapping[str, Any], output_tokens: int) -> dict[str, int]:
        """Return token counts. The first request with a prefix writes it to the cache, and later ones read it.

        The prefix is the part of the request before its last cache point.
        """
        before: list[str] = []
        after: list[str] = []
        for block in (
            *request.get("system", []),
            *(block for turn in request["messages"] for block in turn["content"]),
        ):
            if "cachePoint" in block:
                before, after = [*before, *after], []
            else:
                after.append(json.dumps(block))
        prefix = "".join(before)
        read = written = 0
        if _tokens(prefix) >= min_cached_tokens(model):
            is_cached = (model, prefix) in self._cached
            read, written = (_tokens(prefix), 0) if is_cached else (0, _tokens(prefix))
            self._cached.add((model, prefix))
        sent = _tokens(prefix + "".join(after)) - read - written
        return {
            "inputTokens": sent,
            "outputTokens": output_tokens,
            "totalTokens": read + written + sent + output_tokens,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": written,
        }


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)
