"""A model for this machine: Bedrock's Converse, answered out of what the prompt holds.

It speaks the protocol that boto3 speaks, REST with JSON, and takes only what Bedrock takes: the request is held to
botocore's own model of the operation and to the rules that Bedrock has beside it. It counts tokens, those of a kept
prefix apart. What it says of a broadcast is `bedrock_answers`, of a meeting `bedrock_meetings`, and how it fails on
request `bedrock_faults`. It shares no code with who asks it. Whom it answers is for its starter to say.
"""

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from local import LOOPBACK
from local.services import bare_http as wire
from local.services.bedrock_access import Guard, Wish
from local.services.bedrock_answers import Prompt, prompt_of
from local.services.bedrock_cache import CHARACTERS_PER_TOKEN, PrefixCache, taken, tokens
from local.services.bedrock_faults import Fault, Script, script_of, spoiled
from local.services.bedrock_material import material
from local.services.bedrock_meetings import Meeting, meeting_of
from local.services.bedrock_requests import Invalid, converse_request

MAX_TOKENS = 4096
"""Of an answer, where the request does not say it."""
NOT_KEPT = "You invoked an unsupported model or your request did not allow prompt caching."
BLOCKED = "Sorry, the model cannot answer this question."
_CALLER = re.compile(r"Credential=([A-Za-z0-9]+)/")


def serve(
    *,
    now: Callable[[], float] = time.monotonic,
    guard: Guard | None = None,
) -> AbstractAsyncContextManager[int]:
    """Serves while the block lasts, and gives the port.

    Without a guard it answers everybody.
    """
    service = _Service(PrefixCache(now), guard)
    return wire.served(service.answer)


class _Error(Exception):
    """An error of Converse."""

    def __init__(self, name: str, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


_RAISED = {
    Fault.THROTTLED: ("ThrottlingException", HTTPStatus.TOO_MANY_REQUESTS),
    Fault.UNAVAILABLE: ("ServiceUnavailableException", HTTPStatus.SERVICE_UNAVAILABLE),
    Fault.LATE: ("ModelTimeoutException", HTTPStatus.REQUEST_TIMEOUT),
    Fault.DENIED: ("AccessDeniedException", HTTPStatus.FORBIDDEN),
}


@dataclass(frozen=True)
class _Service:
    cache: PrefixCache
    guard: Guard | None = None
    seen: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    """How often each fault was carried out for a prompt."""

    async def answer(self, request: wire.Request, writer: asyncio.StreamWriter) -> None:
        match request.path.split("/"):
            case ["", "model", model, "converse"]:
                if request.method != "POST":
                    raise wire.Refused(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                raise wire.Refused(HTTPStatus.NOT_FOUND)
        try:
            body = self._converse(unquote(model), request.body, request.authorization)
        except _Error as error:
            await _respond(writer, error.status, {"message": str(error)}, error.name)
        except Invalid as invalid:
            await _respond(writer, HTTPStatus.BAD_REQUEST, {"message": str(invalid)}, "ValidationException")
        else:
            await _respond(writer, HTTPStatus.OK, body)

    def _converse(self, model: str, body: bytes, authorization: str) -> dict[str, Any]:
        if self.guard is not None:
            _check(self.guard, authorization, self.guard.model_wishes(model))
        asked = converse_request(model, body)
        if not taken(model, asked):
            raise _Error("AccessDeniedException", HTTPStatus.FORBIDDEN, NOT_KEPT)
        if self.guard is not None:
            _check(self.guard, authorization, self.guard.guardrail_wish(asked))
        lines = material(asked)
        prompt = meeting_of(lines) or prompt_of(lines)
        script = script_of(model, prompt.said)
        fault = self._due(script, prompt)
        if fault in _RAISED:
            name, status = _RAISED[fault]
            raise _Error(name, status, f"{name}, as the prompt wants it")
        prefix = self.cache.count(model, asked)
        if fault is Fault.GUARDED:
            return _result(BLOCKED, "guardrail_intervened", prefix)
        text = spoiled(fault, prompt.answer())
        most = asked.get("inferenceConfig", {}).get("maxTokens", MAX_TOKENS) * CHARACTERS_PER_TOKEN
        if fault in {Fault.TRUNCATED, Fault.REPEATING}:
            most = len(text) // 2
        if len(text) > most:
            return _result(text[:most], "max_tokens", prefix)
        return _result(text, "end_turn", prefix)

    def _due(self, script: Script | None, prompt: Prompt | Meeting) -> Fault | None:
        if script is None:
            return None
        key = (script.fault, prompt.said)
        if script.times is not None and self.seen[key] >= script.times:
            return None
        self.seen[key] += 1
        return script.fault


def _check(guard: Guard, authorization: str, wishes: Iterator[Wish]) -> None:
    """Raises what Bedrock answers to whoever may not; that a signature fits is not looked at."""
    caller = _CALLER.search(authorization)
    if caller is None:
        raise _Error("MissingAuthenticationTokenException", HTTPStatus.FORBIDDEN, "Missing Authentication Token")
    if refused := guard.refusal(caller[1], wishes):
        told = f"User is not authorized to perform: {refused.action} on resource: {refused.resource}"
        raise _Error("AccessDeniedException", HTTPStatus.FORBIDDEN, told)


def _result(text: str, stop_reason: str, prefix: tuple[int, int, int]) -> dict[str, Any]:
    read, written, rest = prefix
    said = tokens(text)
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop_reason,
        "usage": {
            "inputTokens": rest,
            "outputTokens": said,
            "totalTokens": read + written + rest + said,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": written,
        },
        "metrics": {"latencyMs": 1},
    }


async def _respond(writer: asyncio.StreamWriter, status: HTTPStatus, body: dict[str, Any], error: str = "") -> None:
    data = json.dumps(body).encode()
    named = f"x-amzn-ErrorType: {error}\r\n" if error else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n{named}"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()


async def _alone() -> None:
    """Serves until it is interrupted, and says which variable leads to it."""
    async with serve() as port:
        print(f"AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://{LOOPBACK}:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_alone())
